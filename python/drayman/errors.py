"""What can go wrong, as kinds. The engine raises a kind; only the API knows statuses.

    DraymanError
      NotFound            the object named does not exist
      InvalidParameter    the request itself is wrong
      Conflict            the object's state, or another object, forbids it
      NotModified         it is already so
      Unauthorized        a registry wants credentials, or refuses these
      Forbidden           never allowed on this object
      Unavailable         not now, or not on this node
      Unimplemented       a part of the API that this version does not offer
      System              the host failed us

Rust raises the same kinds: the extension imports these classes.
"""


class DraymanError(Exception):
    """The base of every error that has a meaning for a client; ``str()`` is the text it reads."""


class NotFound(DraymanError):
    """Raised when the object named does not exist."""


class InvalidParameter(DraymanError):
    """Raised when a request cannot mean anything: wrong type, bad name, unknown option."""


class Conflict(DraymanError):
    """Raised when the state of the object, or another object, forbids what was asked."""


class NotModified(DraymanError):
    """Raised when the object is already as asked; not a failure to a client."""


class Unauthorized(DraymanError):
    """Raised when a registry wants credentials, or refuses the ones given."""


class Forbidden(DraymanError):
    """Raised when the operation is never allowed on this object."""


class Unavailable(DraymanError):
    """Raised when what was asked cannot be served by this node, or not now."""


class Unimplemented(DraymanError):
    """Raised when a part of the API is not built in this version of Drayman."""


class System(DraymanError):
    """Raised when the host failed: a full disk, a missing device, an unexpected errno."""
