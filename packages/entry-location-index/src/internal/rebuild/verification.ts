/**
 * Reads an index whole, and checks that it is what an index is: every page
 * decodes, the record of each ledger says what its pages hold, the metadata
 * record counts them all, and nothing is left in the journal.
 */
import type { RocksDB, RocksDBError } from "@effect-bookie/rocksdb"
import type { EntryId } from "@effect-bookie/entry-log/EntryId"
import type { LedgerId } from "@effect-bookie/entry-log/LedgerId"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as LocationPage from "../pages/LocationPage.ts"
import * as Errors from "../errors.ts"
import * as Keys from "../pages/keys.ts"
import { entryIn } from "../pages/pages.ts"
import * as Records from "../pages/records.ts"
import type * as Words from "../words.ts"

/** What an index holds. */
export interface Totals {
  readonly entries: number
  readonly ledgers: number
}

/** A page that was found. */
export interface FoundPage {
  readonly ledgerId: LedgerId
  readonly number: Words.MapKey
  readonly page: LocationPage.LocationPage
}

/** Is told of pages, in their order. */
export interface Look {
  (pages: ReadonlyArray<FoundPage>): Effect.Effect<void, RocksDBError.RocksDBError>
}

/** Checks the index of a database, and counts what it holds. `look` is told of every page. */
export const verify: (
  database: RocksDB.RocksDB["Service"],
  look?: Look
) => Effect.Effect<Totals, RocksDBError.RocksDBError> = Effect.fnUntraced(function* (
  database: RocksDB.RocksDB["Service"],
  look: Look = () => Effect.void
) {
  const corruption = (problem: string) =>
    Effect.fail(Errors.corruption(problem, { operation: "verify", path: database.path }))
  const walk = new Walk()
  const compare = (ledgers: ReadonlyArray<Seen>) =>
    Effect.flatMap(database.getMany(ledgers.map(({ ledgerId }) => Keys.ledger(ledgerId))), (records) => {
      const wrong = ledgers.find((seen, at) => !agrees(records[at], seen))
      return wrong === undefined
        ? Effect.void
        : corruption(`the record of ledger ${wrong.ledgerId} does not say what its pages hold`)
    })

  yield* Stream.runForEachArray(database.stream(Keys.allPages), (records) => {
    const pages: Array<FoundPage> = []
    for (const record of records) {
      const found = walk.visit(record)
      if (typeof found === "string") return corruption(found)
      pages.push(found)
    }
    return Effect.andThen(look(pages), walk.complete >= ledgersPerRead ? compare(walk.takeComplete()) : Effect.void)
  })
  yield* compare(walk.takeAll())

  const records = yield* Stream.runCount(database.stream(Keys.allLedgers, { keysOnly: true }))
  if (records !== walk.ledgers)
    return yield* corruption(`${records} ledgers have a record, and ${walk.ledgers} have pages`)
  const metadata = yield* database.get(Keys.metadata)
  const counted = metadata === undefined ? undefined : Records.decodeMetadata(metadata)
  const entries = counted === undefined ? 0 : counted._tag === "Metadata" ? counted.entries : undefined
  if (entries !== walk.entries)
    return yield* corruption(`${walk.entries} entries are there, but another number counted`)
  if ((yield* database.first(Keys.journalFrom(0))) !== undefined)
    return yield* corruption("the journal has what no page holds")
  return { entries: walk.entries, ledgers: walk.ledgers }
})

const ledgersPerRead = 1024

/** What the pages of a ledger hold. */
interface Seen {
  readonly ledgerId: LedgerId
  entries: number
  lastEntry: EntryId
}

/** Adds up pages, in the order of their keys. */
class Walk {
  entries = 0
  ledgers = 0
  #seen: Array<Seen> = []

  /** How many ledgers have been seen to their end, and not been taken. */
  get complete(): number {
    return this.#seen.length - 1
  }

  /** Adds a page, or says what is wrong with it. */
  visit({ key, value }: RocksDB.Entry): FoundPage | string {
    const ledgerId = Keys.pageLedgerIdIn(key)
    const number = Keys.pageNumberIn(key)
    if (ledgerId === undefined || number === undefined) return "the key of a page is malformed"
    const page = LocationPage.decode(value)
    if (Result.isFailure(page)) return `page ${number} of ledger ${ledgerId} is damaged: ${page.failure}`
    const { count, length } = page.success
    const lastEntry = entryIn(number, length - 1)
    this.entries += count
    const last = this.#seen.at(-1)
    if (last?.ledgerId === ledgerId) {
      last.entries += count
      last.lastEntry = lastEntry
    } else {
      this.ledgers += 1
      this.#seen.push({ ledgerId, entries: count, lastEntry })
    }
    return { ledgerId, number, page: page.success }
  }

  /** Takes the ledgers that have been seen to their end. */
  takeComplete(): ReadonlyArray<Seen> {
    return this.#seen.splice(0, this.complete)
  }

  /** Takes the last one too. */
  takeAll(): ReadonlyArray<Seen> {
    return this.#seen.splice(0)
  }
}

const agrees = (bytes: Uint8Array | undefined, seen: Seen): boolean => {
  const record = bytes === undefined ? undefined : Records.decodeLedger(bytes)
  return record?.entries === seen.entries && record.lastEntry === seen.lastEntry
}
