/**
 * The index that a rebuild is to replace: whether it is one, how many entries it
 * has, and which of its successor's it has too. It is only read.
 *
 * A broken one is what a rebuild is there for, as long as something tells that
 * it was an index: the records that can be read must be those of one, with its
 * metadata among them, and where none can be read, the directory must be marked
 * as one with an index. A database of another program, such as BookKeeper's own
 * index, is never replaced, also if it looks empty: what it has may lie in column
 * families that are not seen from here.
 */
import { type Engine, RocksDB, type RocksDBError } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as EntryLocationIndex from "../../EntryLocationIndex.ts"
import * as LocationPage from "../pages/LocationPage.ts"
import * as Keys from "../pages/keys.ts"
import { entryIn } from "../pages/pages.ts"
import * as RebuildErrors from "./errors.ts"
import * as Records from "../pages/records.ts"
import type { FoundPage } from "./verification.ts"

type Answer<A, R = never> = Effect.Effect<A, RocksDBError.RocksDBError, R>

/** An index that can be read. */
export interface PreviousIndex {
  /** How many entries it has. */
  readonly entries: bigint
  /** How many of the entries of some pages it has too. */
  readonly count: (pages: ReadonlyArray<FoundPage>) => Answer<number>
}

/** What the names of files tell of a database. */
export interface Marks {
  /** Whether it is one of this project. */
  readonly isMarked: boolean
  /** Whether an index has been written there. */
  readonly isIndex: boolean
}

/** Fails with `UnsupportedFormat` unless the database at a path may be replaced by an index. */
export const check = (path: string, { isIndex, isMarked }: Marks): Answer<void, Engine.Engine> =>
  open(path).pipe(
    Effect.flatMap((database) => findForeign(database, isMarked)),
    Effect.scoped,
    Effect.catchIf(isBroken, ({ message }) =>
      isIndex
        ? Effect.as(Effect.logWarning(`The index to be replaced cannot be read: ${message}`), undefined)
        : Effect.succeed(
            `cannot be read, and nothing says that it is an index${isMarked ? ", as overwrite: true would" : ""} (${message})`
          )
    ),
    Effect.flatMap((why) => (why === undefined ? Effect.void : Effect.fail(RebuildErrors.foreign(path, why))))
  )

/** The index at a path for the current scope, or `undefined` if it cannot be read. */
export const read = (path: string): Answer<PreviousIndex | undefined, Scope.Scope | Engine.Engine> =>
  Effect.gen(function* () {
    const index = yield* Effect.provideServiceEffect(EntryLocationIndex.make(), RocksDB.RocksDB, open(path))
    const entries = yield* index.entryCount
    return { entries, count: (pages: ReadonlyArray<FoundPage>) => count(index, pages) }
  }).pipe(
    // Also an index of another version is one to its successor.
    Effect.catchIf(
      (error) => isBroken(error) || error.reason._tag === "UnsupportedFormat",
      () => Effect.succeed(undefined)
    )
  )

/** Whether a database is broken, and not only out of reach for now. */
export const isBroken = (error: RocksDBError.RocksDBError): boolean => {
  const { reason } = error
  if (reason._tag === "IOError") return !error.isRetryable && !outOfReach.has(reason.code ?? "")
  return reason._tag === "Corruption" || reason._tag === "MissingDatabase"
}

const outOfReach = new Set(["EACCES", "EPERM", "EROFS", "ESTALE", "ENODEV"])

const open = (path: string) => RocksDB.make({ path, readOnly: true, createIfMissing: false })

/** What tells that a database is no index, as words that go on from its name, if something does. */
const findForeign = Effect.fnUntraced(function* (database: RocksDB.RocksDB["Service"], isMarked: boolean) {
  for (const [range, isOurs] of kinds) {
    const first = yield* database.first(range)
    if (first !== undefined && !isOurs(first.key)) {
      return `has records that are none of an index, the first under the key ${hex(first.key)}`
    }
  }
  // An index that was never written to is empty, and marked.
  const metadata = yield* database.get(Keys.metadata)
  if (metadata !== undefined) {
    return Records.mayBeMetadata(metadata) ? undefined : "has no version of an index where the metadata of one is"
  }
  if (!isMarked) return "has no metadata of an index, and may be another program's"
  const first = yield* database.first()
  return first === undefined ? undefined : `has records but no metadata of an index, the first under ${hex(first.key)}`
})

/** The records of each kind, of which the first tells. */
const kinds: ReadonlyArray<readonly [RocksDB.Range, (key: Uint8Array) => boolean]> = [
  [Keys.besideMetadata, () => false],
  [Keys.allLedgers, (key) => Keys.ledgerIdIn(key) !== undefined],
  [Keys.allPages, (key) => Keys.pageNumberIn(key) !== undefined],
  [Keys.allJournal, (key) => Keys.sequenceIn(key) !== undefined],
  [{ gte: Keys.everything.lt }, () => false]
]

/** The first bytes of a key in hexadecimal. */
const hex = (key: Uint8Array): string => Buffer.from(key.subarray(0, 20)).toString("hex")

const count = Effect.fnUntraced(function* (
  index: EntryLocationIndex.EntryLocationIndex["Service"],
  pages: ReadonlyArray<FoundPage>
) {
  let found = 0
  let ids: Array<EntryLocationIndex.EntryLocationId> = []
  for (const [at, { ledgerId, number, page }] of pages.entries()) {
    for (let slot = 0; slot < page.length; slot += 1) {
      if (LocationPage.has(page, slot)) ids.push({ ledgerId, entryId: entryIn(number, slot) })
    }
    if (ids.length < idsPerRead && at < pages.length - 1) continue
    const locations = yield* index.getLocations(ids)
    found += locations.reduce((sum, location) => (location === undefined ? sum : sum + 1), 0)
    ids = []
  }
  return found
})

const idsPerRead = 16_384
