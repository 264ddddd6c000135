/**
 * Reads the binding's stream in the chunks in which native code fills it.
 *
 * `next` waits for the stream to be readable, and tells its failure. `end`
 * settles once the stream has closed, without which a close of the database
 * would never come back.
 */
import type Binding from "rocksdb-native"
import type * as Engine from "../../Engine.ts"

/** The cursor of one iterator of the binding. */
export class NativeCursor implements Engine.Cursor {
  readonly #iterator: Binding.Iterator
  readonly #closed: Promise<void>
  #ended = false
  #failure: unknown
  #wake: (() => void) | undefined

  constructor(binding: Binding, { keysOnly, limit, lower, reverse, upper }: Engine.CursorOptions) {
    this.#iterator = binding.iterator(
      {
        ...(lower && (lower.inclusive ? { gte: lower.key } : { gt: lower.key })),
        ...(upper && (upper.inclusive ? { lte: upper.key } : { lt: upper.key }))
      },
      { reverse, limit, values: !keysOnly, capacity: Math.min(entriesPerRead, limit) }
    )
    this.#closed = new Promise((resolve) => this.#iterator.once("close", resolve))
    this.#iterator.on("readable", () => this.#wake?.())
    this.#iterator.once("end", () => {
      this.#ended = true
      this.#wake?.()
    })
    this.#iterator.once("error", (cause) => {
      this.#failure = cause
      this.#wake?.()
    })
  }

  next = async (): Promise<ReadonlyArray<Engine.Entry>> => {
    while (true) {
      if (this.#failure !== undefined) throw this.#failure
      const entries: Array<Engine.Entry> = []
      for (let entry = this.#iterator.read(); entry !== null; entry = this.#iterator.read()) {
        entries.push({ key: entry.key, value: entry.value ?? empty })
      }
      if (entries.length > 0 || this.#ended) return entries
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  end = (): Promise<void> => {
    this.#iterator.destroy()
    return this.#closed
  }
}

/** How many entries one crossing into native code brings. */
const entriesPerRead = 256

const empty = new Uint8Array(0)
