"""How much a stage has at hand at once: what its memory is planned by, and some of its time."""

TRAIN = 256  # vectors a centre that its training sees at most, as in faiss
ROUNDS = 8  # of balanced k-means
LARGEST = 1.3  # a part over the mean one, where the vectors let themselves be cut so evenly
SPREADS = 24  # rounds of looking for the prices at which they do
DISTANCES = 2 << 20  # of vectors and centres that are held at once: 8 MiB
ROUTE = 2 << 20  # values of the vectors that are routed at once
CHUNK = 32 << 20  # bytes of the input that are one unit,
CHUNK_ROWS = 1 << 20  # ... and no more vectors than these
CANDIDATES = 1500  # heads a vector is compared with: 2,300 found no better copies
NEAREST = 4  # times max_copies: nearest heads that the closure chooses from
COMPARED = CANDIDATES + CANDIDATES // 8  # ... and those that come with the last of them
TOGETHER = 4096  # vectors that are compared at once; of a group that is 26 MiB of distances,
GROUPS = 2  # ... and no more than so many mean groups have
SETTLED = 1 << 18  # vectors and copies whose postings are filled together
CROWD = 4 << 20  # values of a head's vectors that are lifted together when it is cut
NAMED = 1 << 20  # ids that are brought into the order of the rows at once
SAMPLE = 65_536  # vectors that the books of a codec are trained on: 256 a point
ENCODED = 1 << 20  # values of the vectors that are coded together
POSTINGS = 1 << 20  # bytes of postings that are made together
KNOWN = 2_000  # calibration queries whose neighbours a scan finds; more choose hardly better
ASKED = 32  # calibration queries a native call
MANY = (300, 1000), (10_000,)  # neighbours that some of them have known,
FEW = 50, 12  # ... so many of them
RANKED = 256  # heads ranked in calibration at first
MOST_RANKED = 4096
DEPTHS = 600, 2400  # candidates of a calibration query: few, and more where it takes them
