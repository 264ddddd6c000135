/**
 * Which file is which ledger, kept in a file beside the logs.
 *
 * This is what tells a deleted ledger from one that exists, which entry logs
 * cannot (BookKeeper keeps it in its metadata store). It is written before a
 * ledger's first entry is, so that a killed run goes on where it was.
 */
import { LedgerId } from "@effect-bookie/entry-location-index"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import * as Schema from "effect/Schema"

/** The ledgers that exist. */
export interface LedgerMetadata {
  /** The ledger of a file, or `undefined`. */
  readonly find: (file: string) => LedgerId.LedgerId | undefined
  /** Gives a file a ledger that no file ever had before, in place of any that it had. */
  readonly assign: (
    file: string
  ) => Effect.Effect<LedgerId.LedgerId, PlatformError | Schema.SchemaError, FileSystem.FileSystem>
  /** Forgets the ledger of a file. */
  readonly remove: (file: string) => Effect.Effect<void, PlatformError | Schema.SchemaError, FileSystem.FileSystem>
  /** Whether a ledger exists. */
  readonly includes: (ledgerId: LedgerId.LedgerId) => boolean
  /** Whether the run before this one did not come to its end, so that the index may lag behind its logs. */
  readonly interrupted: boolean
  /** Marks the end of the run. */
  readonly end: Effect.Effect<void, PlatformError | Schema.SchemaError, FileSystem.FileSystem>
}

/** Reads the metadata at a path, or begins anew, and marks the begin of a run. */
export const open: (
  path: string
) => Effect.Effect<LedgerMetadata, PlatformError | Schema.SchemaError, FileSystem.FileSystem> = Effect.fnUntraced(
  function* (path: string) {
    const fs = yield* FileSystem.FileSystem
    const stored = (yield* fs.exists(path))
      ? yield* Schema.decodeUnknownEffect(Stored)(yield* fs.readFileString(path))
      : { next: LedgerId.make(1n), ledgers: {}, running: false }
    let next = stored.next
    let running = true
    const ledgers = new Map(Object.entries(stored.ledgers))

    const save = Effect.gen(function* () {
      const text = yield* Schema.encodeEffect(Stored)({ next, running, ledgers: Object.fromEntries(ledgers) })
      yield* writeAtomically(path, text)
    })
    yield* save

    return {
      find: (file) => ledgers.get(file),
      assign: (file) =>
        Effect.suspend(() => {
          const ledgerId = next
          next = LedgerId.make(next + 1n)
          ledgers.set(file, ledgerId)
          return Effect.as(save, ledgerId)
        }),
      remove: (file) => Effect.suspend(() => (ledgers.delete(file) ? save : Effect.void)),
      includes: (ledgerId) => [...ledgers.values()].includes(ledgerId),
      interrupted: stored.running,
      end: Effect.suspend(() => {
        running = false
        return save
      })
    }
  }
)

const Stored = Schema.fromJsonString(
  Schema.Struct({
    next: LedgerIdFromString(),
    running: Schema.Boolean,
    ledgers: Schema.Record(Schema.String, LedgerIdFromString())
  })
)

function LedgerIdFromString() {
  return Schema.BigIntFromString.pipe(Schema.decodeTo(LedgerId.LedgerId))
}

/** The old file or the new one is there at any moment, and the new one once this has succeeded. */
const writeAtomically = (path: string, text: string): Effect.Effect<void, PlatformError, FileSystem.FileSystem> =>
  Effect.scoped(
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const temporary = `${path}.new`
      const file = yield* fs.open(temporary, { flag: "w" })
      yield* file.writeAll(new TextEncoder().encode(text))
      yield* file.sync
      yield* fs.rename(temporary, path)
    })
  )
