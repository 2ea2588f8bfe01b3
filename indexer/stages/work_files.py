"""Every file of the working directory: the handshake between stages, as docs/format.md is an index's.

m is the vectors of a part, c of a chunk of the input; p the parts, h the heads; width is that of
the head space. A slot is the number of a staged vector, a row that of a vector of the index.

    file                 type    shape        what it has                    written by  read by
    shared.npy           input's (n, dim)     an input that only one process staging     staging
                                              can read
    top.npy              f32     (p, width)   the centre of each part        staging     staging
    prices.npy           f32     (p,)         what each adds to a distance   staging     staging
    labels-CHUNK.npy     u32     (c,)         the part of each vector        staging     staging
    bounds.npy           i64     (p + 1,)     the first slot of each part    staging     all
    runs.npy             i64     (chunks, p)  the first slot of a chunk's    staging     staging
                                              vectors in each part
    vectors.npy          input's (n, dim)     the vectors by slot            staging     all
    origin.npy           u32     (n,)         the input's row of each slot   staging     rows, payload
    below-PART.npz       -       -            the tree below a part, and     cluster     cluster,
                                              its groups                                 closure
    heads.npy            f32     (h, width)   the heads that were grown      cluster     closure,
                                                                                         entries
    tree.npz             -       -            the levels above them, and     cluster     closure,
                                              where each part begins                     entries, rows
    primary-PART.runs    STORED  (m,)         the nearest head of vectors    closure     entries
    copies-PART.runs     STORED  -            their other heads              closure     entries
    KIND-owners.npy      u8      -            a bit for each of these files  closure     closure
                                              that has something for a part
    records-under.npy    i64     (p,)         how many are stored under the  closure     planning
                                              heads of each part
    pieces.npy           u32     (h,)         postings that a head becomes   entries     entries, rows
    entries-PART.npz     -       -            the postings of a part, in     entries     rows, pack,
                                              slots, and their heads                     holders
    means-PART.npy       f32     (h, width)   these heads in the head space,     means       rows
                                              where others were clustered
    names.npy            i64     (n,)         the ids that were given, by    pipeline    rows
                                              the input's row
    order.npy            u32     (n,)         the slot of each row           rows        encode,
                                                                                         holders,
                                                                                         payload
    number.npy           u32     (n,)         the row of each slot           rows        pack, samples
    starts.npy           i64     (h,)         the first row of each posting  rows        encode
    settled.npy          f32     (h, width)   the heads of the index, before rows        encode
                                              they are rounded
    final.npz            -       -            the first row and head of each rows        encode, pack,
                                              part, and the tree's levels                publish
    meaning.json         -       -            the codec's numbers            encode      encode
    PART-codes-TIER.npy  u8      (m, bytes)   the codes of a part's rows     encode      encode
    records.npy          RECORD  (h,)         the directory, as far as it is pack        pack
                                              known before the postings are
    records-SHARD.npy    RECORD  -            that of one shard, whole       pack        pack
    truth.npz            -       -            the calibration queries, and   samples     samples
                                              their true neighbours
"""  # noqa: E501  the lines of a table

SHARED, TOP, PRICES = "shared.npy", "top.npy", "prices.npy"
RUNS, ORIGIN = "runs.npy", "origin.npy"
HEADS, TREE = "heads.npy", "tree.npz"
PIECES = "pieces.npy"
NAMES, ORDER, NUMBER, STARTS = "names.npy", "order.npy", "number.npy", "starts.npy"
SETTLED, FINAL = "settled.npy", "final.npz"
MEANING = "meaning.json"
RECORDS = "records.npy"
TRUTH = "truth.npz"


def labels_of(chunk: int) -> str:
    """Return the name of the file of the parts of a chunk's vectors."""
    return f"labels-{chunk:05}.npy"


def below_of(part: int) -> str:
    """Return the name of the file of the tree below a part."""
    return f"below-{part:05}.npz"


def stored_in(kind: str, part: int) -> str:
    """Return the name of the file of what a part's vectors are stored under, primary or copies."""
    return f"{kind}-{part:05}.runs"


def owners_in(kind: str) -> str:
    """Return the name of the file of which of these files have something for each part."""
    return f"{kind}-owners.npy"


def entries_in(part: int) -> str:
    """Return the name of the file of a part's entries."""
    return f"entries-{part:05}.npz"


def means_in(part: int) -> str:
    """Return the name of the file of the means of a part's postings in the head space."""
    return f"means-{part:05}.npy"


def codes_in(name: str, part: int) -> str:
    """Return the name of the file of the codes of a part's rows, which go into an index's file."""
    return f"{part:05}-{name}"


def records_in(shard: int) -> str:
    """Return the name of the file of the directory of a shard's postings."""
    return f"records-{shard:05}.npy"
