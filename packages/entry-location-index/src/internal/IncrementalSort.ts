/**
 * Rows in the order of their keys, sorted no further than they have been taken:
 * the first of a million come after some milliseconds, and none of the steps
 * behind them takes long.
 *
 * Incremental quicksort (R. Paredes and G. Navarro, "Optimal Incremental
 * Sorting", ALENEX 2006), which takes O(n + k log k) for the first k of n rows.
 */
export class IncrementalSort {
  /** A row has three words: the high and the low one of its key, so that both compare as signed ones, and its value. */
  readonly #rows: Int32Array
  #size = 0
  /** Where rows are in their places whose keys are above all before and below all behind them; the nearest one last. */
  #pivots: Array<number> | undefined
  /** Rows before this one are in their places. */
  #sorted = 0
  #next = 0

  /** Makes room for so many rows. */
  constructor(room: number) {
    this.#rows = new Int32Array(room * rowLength)
  }

  /** Adds a row, for which there must be room, before the first one is taken. No two have the same key. */
  add(high: number, low: number, value: number): void {
    const at = this.#size * rowLength
    this.#rows[at] = high
    this.#rows[at + 1] = low ^ signBit
    this.#rows[at + 2] = value
    this.#size += 1
  }

  /** Goes on to the next row, and answers whether there is one. */
  take(): boolean {
    if (this.#next >= this.#size) return false
    if (this.#next >= this.#sorted) this.#sortOn()
    this.#next += 1
    return true
  }

  /** Begins with the first row again. */
  restart(): void {
    this.#next = 0
  }

  /** The high word of the key of the row that was taken last. */
  get high(): number {
    return this.#rows[(this.#next - 1) * rowLength] ?? 0
  }

  /** The low word of its key. */
  get low(): number {
    return (this.#rows[(this.#next - 1) * rowLength + 1] ?? 0) ^ signBit
  }

  /** Its value. */
  get value(): number {
    return this.#rows[(this.#next - 1) * rowLength + 2] ?? 0
  }

  /** Brings the next rows, one at least, to their places. */
  #sortOn(): void {
    const pivots = (this.#pivots ??= [this.#size])
    let end = pivots.at(-1) ?? this.#size
    while (end - this.#next > fewRows) {
      end = this.#partition(this.#next, end)
      pivots.push(end)
    }
    this.#sortFew(this.#next, end)
    pivots.pop()
    // The pivot behind them is in its place too.
    this.#sorted = end + 1
  }

  /** Parts the rows from `start` to before `end` by the key of one of them, and answers where that one is then. */
  #partition(start: number, end: number): number {
    const rows = this.#rows
    // Any will do, if it is not chosen by how the rows lie.
    this.#swap(start, start + Math.floor(Math.random() * (end - start)))
    const high = rows[start * rowLength] ?? 0
    const low = rows[start * rowLength + 1] ?? 0
    let place = start
    for (let row = start + 1; row < end; row++) {
      const at = row * rowLength
      const rowHigh = rows[at] ?? 0
      if (rowHigh > high || (rowHigh === high && (rows[at + 1] ?? 0) > low)) continue
      place += 1
      if (place !== row) this.#swap(place, row)
    }
    this.#swap(start, place)
    return place
  }

  #sortFew(start: number, end: number): void {
    for (let row = start + 1; row < end; row++) {
      for (let at = row; at > start && this.#isAbove(at - 1, at); at--) this.#swap(at - 1, at)
    }
  }

  #isAbove(left: number, right: number): boolean {
    const rows = this.#rows
    const difference = (rows[left * rowLength] ?? 0) - (rows[right * rowLength] ?? 0)
    return (
      difference > 0 || (difference === 0 && (rows[left * rowLength + 1] ?? 0) > (rows[right * rowLength + 1] ?? 0))
    )
  }

  #swap(left: number, right: number): void {
    const rows = this.#rows
    const to = left * rowLength
    const from = right * rowLength
    const high = rows[to] ?? 0
    const low = rows[to + 1] ?? 0
    const value = rows[to + 2] ?? 0
    rows[to] = rows[from] ?? 0
    rows[to + 1] = rows[from + 1] ?? 0
    rows[to + 2] = rows[from + 2] ?? 0
    rows[from] = high
    rows[from + 1] = low
    rows[from + 2] = value
  }
}

const rowLength = 3

/** Flipped, unsigned words compare as signed ones. */
const signBit = 1 << 31

/** So many rows are sorted at once. */
const fewRows = 16
