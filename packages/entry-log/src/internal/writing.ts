/**
 * What changes an entry log: each call passes the gate of the operations, takes
 * its arguments when its effect runs, and answers `ReadOnly` where nothing may
 * be written.
 */
import * as Effect from "effect/Effect"
import type { Service, Writer } from "../EntryLog.ts"
import * as EntryLogError from "../EntryLogError.ts"
import type { Location } from "../Location.ts"
import type { OpenDirectory, Writing as Opened } from "./acquire.ts"
import type { Appender } from "./Appender.ts"
import * as Arguments from "./arguments.ts"
import * as Frames from "./frames.ts"
import type { Operations } from "./Operations.ts"
import type { Settings } from "./options.ts"
import { take } from "./refusal.ts"
import { removeLog } from "./removeLog.ts"

/** The operations that write. */
export type Writing = Pick<
  Service,
  "append" | "appendAll" | "appendFrames" | "makeWriter" | "removeLog" | "rollOver" | "sync"
>

/** Writes the logs of an open directory. */
export const writing = (settings: Settings, { descriptors, operations, writing }: OpenDirectory): Writing => {
  const { directory } = settings
  const at = (operation: string): EntryLogError.Where => ({ operation, path: directory })
  const opened = (where: EntryLogError.Where): Opened => {
    if (writing === undefined) throw EntryLogError.readOnly(where)
    return writing
  }
  const append = (
    where: EntryLogError.Where,
    read: () => ReadonlyArray<Arguments.Addition>
  ): Effect.Effect<ReadonlyArray<Location>, EntryLogError.EntryLogError> =>
    operations.run(where.operation, () => {
      const additions = take(where, read)
      return opened(where).appender.append(additions)
    })
  const ofOne = at("append")
  const ofAll = at("appendAll")
  return {
    append: (ledgerId, entryId, payload) =>
      Effect.map(
        append(ofOne, () => [Arguments.addition(ledgerId, entryId, payload, settings)]),
        onlyLocation
      ),
    appendAll: (entries) => append(ofAll, () => Arguments.additions(entries, settings)),
    appendFrames: appendFrames(settings, operations, (where) => opened(where).appender),
    sync: operations.run("sync", () => writing?.appender.sync() ?? Promise.resolve()),
    rollOver: operations.run("rollOver", () => opened(at("rollOver")).appender.rollOver()),
    removeLog: (logId) =>
      operations.run("removeLog", () => {
        const where = at("removeLog")
        const id = take(where, () => Arguments.logId("the argument", logId))
        if (opened(where).sequence.find(id) !== undefined) throw EntryLogError.logInUse(id, where)
        return removeLog(directory, descriptors, id)
      }),
    makeWriter: (options) =>
      Effect.map(
        Effect.acquireRelease(
          operations.run("makeWriter", async () => {
            const where = at("makeWriter")
            const preamble = take(where, () => Arguments.preamble(options)) ?? settings.preamble
            return opened(where).makeAppender(preamble)
          }),
          (appender) => finish(operations, appender)
        ),
        (appender) => writer(settings, operations, appender)
      )
  }
}

const writer = (settings: Settings, operations: Operations, appender: Appender): Writer => {
  const open = (where: EntryLogError.Where): Appender => {
    if (appender.isClosed) throw EntryLogError.closed(where)
    return appender
  }
  const at = (operation: string): EntryLogError.Where => ({ operation, path: settings.directory })
  return {
    appendFrames: appendFrames(settings, operations, open),
    sync: operations.run("sync", () => open(at("sync")).sync()),
    rollOver: operations.run("rollOver", () => open(at("rollOver")).rollOver())
  }
}

const appendFrames = (
  settings: Settings,
  operations: Operations,
  appender: (where: EntryLogError.Where) => Appender
): Writer["appendFrames"] => {
  const where = { operation: "appendFrames", path: settings.directory }
  return (frames) =>
    operations.run(where.operation, () => {
      const taken = take(where, () => Frames.take(frames, settings.maxEntrySize))
      return appender(where).appendFrames(taken)
    })
}

/** Seals the log of a writer. Where the entry log is released first, that has synced and closed it. */
const finish = (operations: Operations, appender: Appender): Effect.Effect<void> =>
  Effect.catch(
    operations.run("close", () => appender.finish()),
    (error) =>
      error.reason._tag === "Closed" ? Effect.void : Effect.andThen(Effect.logError(error.message), Effect.die(error))
  )

const onlyLocation = (locations: ReadonlyArray<Location>): Location => {
  const location = locations[0]
  if (location === undefined) throw new Error("an append of one entry answered no location")
  return location
}
