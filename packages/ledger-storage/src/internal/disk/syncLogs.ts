/**
 * Brings logs to disk that a process has left which may have been killed: nobody
 * else does, and the index is not to hold what is not there.
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import * as LedgerStorageError from "../../LedgerStorageError.ts"

/** Syncs logs of a directory. */
export const syncLogs = (
  directory: string,
  logs: ReadonlyArray<{ readonly id: number }>,
  where: LedgerStorageError.Where
): Effect.Effect<void, LedgerStorageError.LedgerStorageError> =>
  Effect.forEach(
    logs,
    ({ id }) =>
      Effect.uninterruptible(
        Effect.tryPromise({
          try: () => syncFile(Path.join(directory, `${id.toString(16)}.log`)),
          catch: (cause) => LedgerStorageError.fromSystem(cause, where)
        })
      ),
    { discard: true }
  )

const syncFile = async (path: string): Promise<void> => {
  const file = await Fs.open(path, "r")
  try {
    await file.datasync()
  } finally {
    await file.close()
  }
}
