/**
 * Which names RocksDB and this project give to files of a database: what is
 * removed or replaced as a database must have no others.
 */
import { DirectoryLock } from "@effect-bookie/rocksdb"
import * as IndexMarker from "../indexMarker.ts"

/** A name that is none of a database's, if there is one. */
export const strangerAmong = (names: ReadonlyArray<string>): string | undefined =>
  names.find((name) => !databaseFile.test(name))

/** Whether there is a database, or what is left of one. Who only locked the directory has left no more than a lock. */
export const hasDatabase = (names: ReadonlyArray<string>): boolean =>
  names.some((name) => databaseFile.test(name) && name !== DirectoryLock.fileName)

/** Whether this project has opened the database for writing: it leaves the name of its engine. */
export const isMarked = (names: ReadonlyArray<string>): boolean => names.includes("ENGINE")

/** Whether an index has been written there. */
export const isIndex = (names: ReadonlyArray<string>): boolean => names.includes(IndexMarker.fileName)

const databaseFile =
  /^(CURRENT|ENGINE(\..+)?|INDEX|IDENTITY|SESSION_ID|LOCK|LOG(\.old.*)?|(MANIFEST|METADB|OPTIONS)-\d+|OWNER\.lock|.+\.dbtmp|\d+\.(log|sst|ldb|blob|trash)|\d+\.sst\.trash)$/
