/**
 * Records as JSON behind a byte that tells their format.
 */
import * as Schema from "effect/Schema"
import { concat } from "./keys.ts"
import * as KeySpace from "./KeySpace.ts"
import * as Strings from "./strings.ts"

/** Writes and reads records of one shape. */
export class Codec<A> {
  readonly #what: string
  readonly #encode: (value: A) => string
  readonly #decode: (json: string) => A

  /** `what` tells in errors which record it was, such as "The state of an element". */
  constructor(what: string, schema: Schema.Codec<A, unknown>) {
    const json = Schema.fromJsonString(Schema.toCodecJson(schema))
    this.#what = what
    this.#encode = Schema.encodeSync(json)
    this.#decode = Schema.decodeSync(json)
  }

  encode(value: A): Uint8Array {
    return concat([Uint8Array.of(format), encoder.encode(this.#encode(value))])
  }

  /** Throws the error that says so if this build cannot read it. */
  decode(space: KeySpace.KeySpace, record: Uint8Array): A
  decode(space: KeySpace.KeySpace, record: Uint8Array | undefined): A | undefined
  decode(space: KeySpace.KeySpace, record: Uint8Array | undefined): A | undefined {
    if (record === undefined) return undefined
    try {
      if (record[0] === format) return this.#decode(Strings.utf8(record.subarray(1)))
    } catch {
      // Told below, as one that begins with another byte is.
    }
    throw KeySpace.unreadable(space, this.#what)
  }
}

const format = 1

const encoder = new TextEncoder()
