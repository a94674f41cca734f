"""The words of generated names: how a good horse is, and who taught us to move things."""

_ADJECTIVES = """
able amber ample apt ardent astute balanced bold brave bright brisk broad calm candid careful
cheerful clever constant cordial daring decent deft devoted diligent dry eager early earnest
easy even fair faithful famous fast fearless fine firm fit fleet fond frank fresh friendly
frugal gallant generous gentle glad golden good grand grateful great hale handy happy hardy
hearty helpful honest hopeful humble ideal jolly jovial just keen kind large lasting lawful
level light lively loyal lucid lucky mellow merry mighty mild mindful modest neat nimble noble
open orderly patient peaceful placid plain pleasant plucky polite prompt proper proud prudent
quick quiet rapid ready robust rosy round sane serene sharp shiny silent simple sincere smart
smooth sober solid sound spry stable stalwart steady stern stout strong sturdy subtle sunny sure
swift tender thorough thrifty tidy tireless tranquil true trusty upbeat upright useful valiant
vast vigilant vivid warm wary watchful weighty willing wise witty worthy zealous
"""
_SURNAMES = """
archimedes armstrong babbage baird bell benz bernoulli bessemer bohr boole bosch boulton boyle
braun brunel carnot cayley celsius clarke cochrane coulomb crompton cugnot curie daimler darby
davy diesel dunlop eiffel ericsson euler fairbairn faraday fermi fourier franklin fulton galilei
galvani gauss gilbreth gray guericke hahn hancock hargreaves heaviside henry herschel hertz
hooke hopper huygens jacquard jenner jouanne joule kelvin kepler kirchhoff lagrange laplace
lavoisier leeghwater leibniz lenoir lilienthal linde lovelace marconi maudslay maxwell mclean
meitner mercator montgolfier morse murdock nasmyth newcomen newton nobel noether ohm otis otto
papin pascal peltier perronet planck poisson priestley pythagoras rankine rennie riemann
roentgen rumford savery seguin shannon siemens smeaton soddy somerville stephenson stevin stokes
telford tesla thomson torricelli trevithick turing ampere vauban volta watt weber wheatstone
whitney whitworth wright wren young zeppelin zuse
"""

ADJECTIVES = tuple(_ADJECTIVES.split())
SURNAMES = tuple(_SURNAMES.split())
