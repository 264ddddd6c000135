/**
 * A failed sync of the write-ahead log, which is final for an open database:
 * the kernel may have dropped the bytes and call the next sync a success, so
 * nothing that is done here can tell whether they are on disk. Whoever opens
 * the database anew has what the log holds then, as after a crash.
 */
import * as Predicate from "effect/Predicate"
import * as Thrown from "./thrown.ts"

/** The failure of a sync, for its caller and for everyone who wants one after it. */
export const of = (cause: unknown): Error => {
  const failure = new Error(`the write-ahead log could not be brought to disk: ${Thrown.messageOf(cause)}`, { cause })
  failures.add(failure)
  return Object.assign(failure, { code: Thrown.codeOf(cause), syscall: "fdatasync" })
}

/** Whether something is such a failure, ours or one of RocksDB, which has said this. */
export const is = (cause: unknown, text: string = Thrown.messageOf(cause)): boolean =>
  (Predicate.isObjectKeyword(cause) && failures.has(cause)) || ofRocksDB.test(text)

const failures = new WeakSet<object>()

const ofRocksDB = /While f(?:data)?sync: \S*\.log: /
