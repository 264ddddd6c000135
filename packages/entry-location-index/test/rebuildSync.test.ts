/**
 * What a rebuild brings to disk before the new index is in its place.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { EntryId, EntryLog, LedgerId } from "@effect-bookie/entry-log"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { IndexRebuild } from "../src/index.ts"
import { temporaryDirectory } from "./support.ts"

/** The inodes that are synced meanwhile, as long as a condition holds. */
const syncedWhile = <A, E>(condition: () => boolean, self: Effect.Effect<A, E>) =>
  Effect.acquireUseRelease(
    Effect.promise(async () => {
      const handle = await Fs.promises.open(import.meta.filename)
      const prototype: Pick<Fs.promises.FileHandle, "fd" | "datasync" | "sync"> = Object.getPrototypeOf(handle)
      await handle.close()
      const { datasync, sync } = prototype
      const inodes = new Set<number>()
      const note = (descriptor: number) => condition() && inodes.add(Fs.fstatSync(descriptor).ino)
      prototype.datasync = function (this: Fs.promises.FileHandle) {
        return datasync.call(this).finally(() => note(this.fd))
      }
      prototype.sync = function (this: Fs.promises.FileHandle) {
        return sync.call(this).finally(() => note(this.fd))
      }
      return { inodes, restore: () => Object.assign(prototype, { datasync, sync }) }
    }),
    ({ inodes }) => Effect.as(self, inodes),
    ({ restore }) => Effect.sync(restore)
  )

describe("a rebuild", () => {
  it.effect("brings the logs to disk before the index that points to them is in place", () =>
    Effect.gen(function* () {
      const root = yield* temporaryDirectory
      const [entryLogs, database] = [Path.join(root, "logs"), Path.join(root, "index")]
      const log = yield* EntryLog.make({ directory: entryLogs })
      yield* log.append(LedgerId.make(1n), EntryId.make(0n), Uint8Array.of(1))
      const inodes = yield* syncedWhile(() => !Fs.existsSync(database), IndexRebuild.rebuild({ entryLogs, database }))
      for (const path of [entryLogs, Path.join(entryLogs, "0.log")]) {
        assert.isTrue(inodes.has(Fs.statSync(path).ino), path)
      }
    }).pipe(Effect.scoped)
  )
})
