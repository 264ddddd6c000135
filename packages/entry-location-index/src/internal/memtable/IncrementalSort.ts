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
  /** How far the partition under way has come, or 0; the rows up to `#place` have keys no higher than the one it goes by. */
  #row = 0
  #place = 0
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

  /** Adds rows whose values are not 0, from one up to another. Of each key there are so many words, the high one first. */
  addAll(keys: Int32Array, keyLength: number, values: Uint8Array, from: number, to: number): void {
    const rows = this.#rows
    let at = this.#size * rowLength
    for (let nth = from, key = from * keyLength; nth < to; nth++, key += keyLength) {
      const value = values[nth] ?? 0
      if (value === 0) continue
      rows[at] = keys[key] ?? 0
      rows[at + 1] = (keys[key + 1] ?? 0) ^ signBit
      rows[at + 2] = value
      at += rowLength
    }
    this.#size = at / rowLength
  }

  /** Goes on to the next row, and answers whether there is one. */
  take(): boolean {
    if (this.#next >= this.#size) return false
    while (!this.isReady) this.sortOn()
    this.#next += 1
    return true
  }

  /** Whether the next row is in its place, or there is none, so that to take it costs nothing. */
  get isReady(): boolean {
    return this.#next < this.#sorted || this.#next >= this.#size
  }

  /** Sorts on for a fraction of a millisecond; after some times the next row is in its place. */
  sortOn(): void {
    const pivots = (this.#pivots ??= [this.#size])
    const end = pivots.at(-1) ?? this.#size
    if (end - this.#sorted > fewRows) return this.#partitionOn(end, pivots)
    this.#sortFew(this.#sorted, end)
    pivots.pop()
    // The pivot behind them is in its place too.
    this.#sorted = end + 1
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

  /** Parts some of the rows that are not sorted yet, up to `end`, by the key of one of them. */
  #partitionOn(end: number, pivots: Array<number>): void {
    const rows = this.#rows
    const start = this.#sorted
    if (this.#row === 0) {
      this.#swap(start, this.#choose(start, end))
      this.#place = start
      this.#row = start + 1
    }
    const high = rows[start * rowLength] ?? 0
    const low = rows[start * rowLength + 1] ?? 0
    const last = Math.min(end, this.#row + rowsPerStep)
    let place = this.#place
    for (let row = this.#row; row < last; row++) {
      const at = row * rowLength
      const rowHigh = rows[at] ?? 0
      if (rowHigh > high || (rowHigh === high && (rows[at + 1] ?? 0) > low)) continue
      place += 1
      if (place !== row) this.#swap(place, row)
    }
    this.#place = place
    this.#row = last
    if (last < end) return
    this.#swap(start, place)
    pivots.push(place)
    this.#row = 0
  }

  /**
   * A row to part the rows by. Any will do that is not chosen by how the rows lie; of many it is a low one, so that the
   * first rows are not looked at often before they come.
   */
  #choose(start: number, end: number): number {
    const any = () => start + Math.floor(Math.random() * (end - start))
    if (end - start < manyRows) return any()
    let lowest = any()
    let second = lowest
    for (let nth = 1; nth < sampleSize; nth++) {
      const row = any()
      if (this.#isAbove(lowest, row)) {
        second = lowest
        lowest = row
      } else if (nth === 1 || this.#isAbove(second, row)) {
        second = row
      }
    }
    return second
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

/** So many rows are looked at in a step. */
const rowsPerStep = 8192

/** From so many rows on, the one to part them by is the second of a sample of so many, an eighth up from the lowest. */
const manyRows = 4096
const sampleSize = 15
