/**
 * What has one owner: a database, and a directory of entry logs.
 */
import { EntryId, LedgerId } from "@effect-bookie/entry-location-index"
import { EntryLog, type EntryLogError, Location } from "@effect-bookie/entry-log"
import { RocksDB, type RocksDBError } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as ThisEngine from "../../harness/ThisEngine.ts"

/** What opening or using it fails with. */
export type Failure = RocksDBError.RocksDBError | EntryLogError.EntryLogError

/** What an owner can do. */
export interface Owned {
  /** Writes the value of a number, and reads it back. */
  readonly use: (number: number) => Effect.Effect<boolean, Failure>
}

/** Opens a directory in the current scope. */
export interface Subject {
  readonly name: string
  /** Whether an engine makes a difference. */
  readonly hasEngine: boolean
  readonly open: (directory: string) => Effect.Effect<Owned, Failure, Scope.Scope>
}

const database: Subject = {
  name: "database",
  hasEngine: true,
  open: (path) =>
    RocksDB.make({ path }).pipe(
      Effect.provide(ThisEngine.layer),
      Effect.map((database) => ({
        use: (number) => {
          const bytes = Buffer.from(String(number))
          return Effect.map(
            Effect.andThen(database.put(bytes, bytes), database.get(bytes)),
            (found) => found !== undefined && Buffer.compare(bytes, found) === 0
          )
        }
      }))
    )
}

const entryLog: Subject = {
  name: "entry-log",
  hasEngine: false,
  open: (directory) =>
    Effect.map(EntryLog.make({ directory }), (entryLog) => ({
      use: (number) => {
        const ledgerId = LedgerId.make(1n)
        const entryId = EntryId.make(BigInt(number))
        const payload = Buffer.from(String(number))
        return Effect.gen(function* () {
          const location = yield* entryLog.append(ledgerId, entryId, payload)
          yield* entryLog.sync
          const found = yield* entryLog.read(ledgerId, entryId, location)
          return Location.is(location) && Buffer.compare(payload, found) === 0
        })
      }
    }))
}

/** All of them. */
export const subjects: readonly [Subject, ...ReadonlyArray<Subject>] = [database, entryLog]
