// Writes the archive that header bytes are compared with: Go's archive/tar, asked as Docker asks it.
package main

import (
	"archive/tar"
	"os"
	"strings"
	"time"
)

func main() {
	w := tar.NewWriter(os.Stdout)
	long := strings.Repeat("d", 60) + "/" + strings.Repeat("e", 60)
	unsplit := strings.Repeat("n", 120)
	slash := strings.Repeat("s", 99) + "/" + strings.Repeat("t", 101) + "/u"
	cap := map[string]string{"SCHILY.xattr.security.capability": "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"}
	t := time.Unix(1700000000, 0)
	for _, h := range []tar.Header{
		{Typeflag: tar.TypeReg, Name: "hosts", Mode: 0644, ModTime: t},
		{Typeflag: tar.TypeDir, Name: "etc/", Mode: 01777, Uid: 33, Gid: 34, ModTime: t},
		{Typeflag: tar.TypeDir, Name: "/", Mode: 0755, ModTime: t},
		{Typeflag: tar.TypeReg, Name: long, Mode: 04755, ModTime: t},
		{Typeflag: tar.TypeDir, Name: long + "/", Mode: 0755, ModTime: t},
		{Typeflag: tar.TypeReg, Name: long, Mode: 0644, Uid: 3000000, Gid: 2097152, ModTime: t},
		{Typeflag: tar.TypeReg, Name: unsplit, Mode: 0644, ModTime: t},
		{Typeflag: tar.TypeReg, Name: slash, Mode: 0644, ModTime: t},
		{Typeflag: tar.TypeDir, Name: slash + "/", Mode: 0755, ModTime: t},
		{Typeflag: tar.TypeReg, Name: strings.Repeat("x", 100), Mode: 0644, ModTime: t},
		{Typeflag: tar.TypeReg, Name: "./gr\u00fcn/\u00e4", Mode: 0644, ModTime: t},
		{Typeflag: tar.TypeReg, Name: "bad\xff", Mode: 0644, ModTime: t},
		{Typeflag: tar.TypeSymlink, Name: "l", Linkname: unsplit, Mode: 0777, ModTime: t},
		{Typeflag: tar.TypeLink, Name: "h", Linkname: "etc/\u00e9", Mode: 0600, ModTime: t},
		{Typeflag: tar.TypeChar, Name: "dev/null", Mode: 0666, Devmajor: 1, Devminor: 3, ModTime: t},
		{Typeflag: tar.TypeBlock, Name: "dev/sda", Mode: 0660, Devmajor: 8, Devminor: 1048575, ModTime: t},
		{Typeflag: tar.TypeFifo, Name: "./p", Mode: 0600, ModTime: t},
		{Typeflag: tar.TypeReg, Name: "cap", Mode: 0755, PAXRecords: cap, ModTime: t},
		{Typeflag: tar.TypeReg, Name: long, Mode: 0755, PAXRecords: cap, ModTime: t},
		{Typeflag: tar.TypeReg, Name: "old", Mode: 0644, ModTime: time.Unix(-5, 0)},
		{Typeflag: tar.TypeReg, Name: "late", Mode: 0644, ModTime: time.Unix(1<<33, 0)},
		{Typeflag: tar.TypeDir, Name: "./", Mode: 0755, Uid: 3000000, ModTime: t},
		{Typeflag: tar.TypeReg, Name: strings.Repeat("/q", 140), Mode: 0644, ModTime: t},
		{Typeflag: tar.TypeReg, Name: "huge", Mode: 0644, Size: 1 << 33, ModTime: t},
	} {
		h.Format = tar.FormatPAX
		if err := w.WriteHeader(&h); err != nil {
			panic(err)
		}
	}
	// No Close: the last file's content is not written.
}
