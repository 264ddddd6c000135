/**
 * Small states by key, each of which is removed once it says nothing any more.
 */
import type { Codec } from "./Codec.ts"
import type { Expiring } from "./Expiring.ts"
import { concat } from "./keys.ts"
import type { KeySpace } from "./KeySpace.ts"
import * as Strings from "./strings.ts"
import type { View } from "./Transactions.ts"

/** The states of one kind. */
export class States<A> {
  readonly #space: KeySpace
  readonly #records: Expiring
  readonly #kind: Uint8Array
  readonly #codec: Codec<A>

  /** `kind` tells states of several kinds apart that have the same key. */
  constructor(space: KeySpace, records: Expiring, kind: number, codec: Codec<A>) {
    this.#space = space
    this.#records = records
    this.#kind = Uint8Array.of(kind)
    this.#codec = codec
  }

  get(view: View, key: string): A | undefined {
    return this.#codec.decode(this.#space, this.#records.get(view, this.#id(key))?.content)
  }

  /** Sets a state that says nothing any more from a time on; it is removed within a minute after it, or later. */
  put(view: View, key: string, state: A, until: number): void {
    // In whole minutes, so that the index seldom has to change with a state.
    const expires = Number.isNaN(until) ? Infinity : Math.ceil(until / minute) * minute
    this.#records.put(view, this.#id(key), { expires, content: this.#codec.encode(state) })
  }

  remove(view: View, key: string): void {
    this.#records.remove(view, this.#id(key))
  }

  #id(key: string): Uint8Array {
    return concat([this.#kind, Strings.encode(key)])
  }
}

const minute = 60_000
