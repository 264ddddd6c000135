/**
 * A directory has one owner, whatever happens, on every engine:
 * `suite(name, layer)`.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Fiber, type Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { DirectoryLock, Engine, RocksDB, type RocksDBError } from "@effect-bookie/rocksdb"
import { withFullDisk } from "@effect-bookie/rocksdb/EngineSupport"
import { bytes, text } from "../bytes.ts"
import { temporaryDirectory } from "../directory.ts"
import { reasonOf, tagOf } from "../failure.ts"
import { Probe } from "../Probe.ts"
import * as Program from "./program.ts"
import { canMount } from "../smallDisk.ts"

type Owner = RocksDB.RocksDB["Service"]

/** Opens a database of a path, uses it, and closes it. */
const use = <A, E, R>(path: string, f: (database: Owner) => Effect.Effect<A, E, R>) =>
  Effect.scoped(Effect.flatMap(RocksDB.make({ path }), f))

const opens = (path: string) => use(path, () => Effect.void)

/** What another process answers that opens these paths one in the other: `opened`, or why it could not. */
const answersOfAnother = Effect.fnUntraced(function* (...paths: ReadonlyArray<string>) {
  const { name } = yield* Engine.Engine
  const { code, stderr, stdout } = yield* Program.run("open", name, ...paths)
  assert.strictEqual(code, 0, stderr)
  return stdout.trim().split("\n")
})

const readEveryFile = (path: string) => {
  for (const name of Fs.readdirSync(path)) Fs.readFileSync(Path.join(path, name))
}

/** Declares the tests of an engine. */
export const suite = (name: string, layer: Layer.Layer<Engine.Engine, RocksDBError.RocksDBError>): void => {
  it.layer(layer)(name, (it) => {
    it.effect("copying the directory drops no lock and copies none", () =>
      Effect.gen(function* () {
        const parent = yield* temporaryDirectory
        const [path, copy] = [Path.join(parent, "database"), Path.join(parent, "copy")]
        yield* use(path, (database) =>
          Effect.gen(function* () {
            yield* database.put(bytes("a"), bytes("1"))
            Fs.cpSync(path, copy, { recursive: true })
            readEveryFile(path)
            assert.deepStrictEqual(yield* answersOfAnother(path), ["Locked"])
            assert.strictEqual(yield* tagOf(opens(path)), "Locked")
            assert.strictEqual(text(yield* use(copy, (copied) => copied.get(bytes("a")))), "1")
            yield* database.put(bytes("b"), bytes("2"))
          })
        )
        const values = yield* use(path, (database) => database.getMany(["a", "b"].map(bytes)))
        assert.deepStrictEqual(values.map(text), ["1", "2"])
      })
    )

    it.effect("of those who open a new directory at once, one gets it", () =>
      Effect.gen(function* () {
        const path = Path.join(yield* temporaryDirectory, "database")
        const scope = yield* Scope.make()
        const open = Effect.match(Scope.provide(RocksDB.make({ path }), scope), {
          onSuccess: () => "opened",
          onFailure: ({ reason }) => reason._tag
        })
        const answers = yield* Effect.all(
          Array.from({ length: 8 }, () => open),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(answers.toSorted(), [...Array.from({ length: 7 }, () => "Locked"), "opened"])
        yield* Scope.close(scope, Exit.void)
        yield* opens(path)
      })
    )

    it.effect("the directory stays locked while it is opened anew after a full disk", () =>
      Effect.gen(function* () {
        const path = yield* temporaryDirectory
        const engine = yield* Engine.Engine
        const seen: Array<string> = []
        let isFull = false
        const watched = withFullDisk({
          name: engine.name,
          open: (options) =>
            Effect.map(engine.open(options), (database) => ({
              ...database,
              write: (operations, sync) => (isFull ? Promise.reject(noSpace()) : database.write(operations, sync)),
              close: async () => {
                await database.close()
                if (isFull)
                  seen.push(await Effect.runPromise(Effect.provideService(tagOf(opens(path)), Engine.Engine, engine)))
                isFull = false
              }
            }))
        })
        const database = yield* Effect.provideService(RocksDB.make({ path }), Engine.Engine, watched)
        isFull = true
        yield* database.put(bytes("a"), bytes("1"))
        assert.deepStrictEqual(seen, ["Locked"])
      })
    )

    it.effect("the directory stays locked until the handle has gone, also where the release does not wait for it", () =>
      Effect.gen(function* () {
        const path = yield* temporaryDirectory
        const probe = new Probe()
        const scope = yield* Scope.make()
        const database = yield* Scope.provide(probe.open({ path, shutdownDeadline: "5 seconds" }), scope)
        const release = probe.hold("getMany")
        yield* Effect.forkChild(database.get(bytes("a")))
        yield* probe.until("begin getMany")
        const closing = yield* Effect.forkChild(Effect.exit(Scope.close(scope, Exit.void)))
        while (!database.isClosed()) yield* Effect.yieldNow
        yield* TestClock.adjust("5 seconds")
        assert.isTrue(Exit.isFailure(yield* Fiber.join(closing)))
        readEveryFile(path)
        assert.deepStrictEqual(yield* answersOfAnother(path), ["Locked"])
        release()
        yield* probe.until("released rocksdb")
        yield* opens(path)
      })
    )

    it.effect("an open that fails leaves no lock behind", () =>
      Effect.gen(function* () {
        const path = yield* temporaryDirectory
        yield* opens(path)
        const current = Path.join(path, "CURRENT")
        const whole = Fs.readFileSync(current)
        Fs.writeFileSync(current, "garbage")
        assert.strictEqual(yield* tagOf(opens(path)), "Corruption")
        Fs.writeFileSync(current, whole)
        yield* opens(path)
      })
    )

    it.effect("a lock file that is left from before, or that came with a copy, locks nothing", () =>
      Effect.gen(function* () {
        const path = yield* temporaryDirectory
        Fs.writeFileSync(Path.join(path, DirectoryLock.fileName), "4711")
        yield* opens(path)
        yield* opens(path)
      })
    )

    it.effect("a lock file that somebody has removed lets nobody in while the database is open", () =>
      Effect.gen(function* () {
        const path = yield* temporaryDirectory
        yield* use(path, () =>
          Effect.gen(function* () {
            Fs.rmSync(Path.join(path, DirectoryLock.fileName))
            assert.strictEqual(yield* tagOf(opens(path)), "Locked")
            assert.deepStrictEqual(yield* answersOfAnother(path), ["Locked"])
          })
        )
      })
    )

    it.effect.each([
      ["removed", (file: string) => Fs.rmSync(file)],
      ["replaced", (file: string) => Fs.renameSync(`${file}-copy`, file)]
    ] as const)("a lock file that is %s after the directory was copied lets nobody in", ([, displace]) =>
      Effect.gen(function* () {
        const path = yield* temporaryDirectory
        // A database that is opened again, and one that is new.
        for (let turn = 0; turn < 2; turn += 1) {
          yield* use(path, () =>
            Effect.gen(function* () {
              const copy = yield* temporaryDirectory
              // Whoever closes LOCK drops RocksDB's own lock.
              Fs.cpSync(path, copy, { recursive: true })
              const file = Path.join(path, DirectoryLock.fileName)
              Fs.copyFileSync(file, `${file}-copy`)
              displace(file)
              assert.strictEqual(yield* tagOf(Effect.scoped(DirectoryLock.acquire(path))), "Locked")
              assert.deepStrictEqual(yield* answersOfAnother(path), ["Locked"])
              Fs.rmSync(`${file}-copy`, { force: true })
            })
          )
        }
      })
    )

    it.effect("a database whose directory is held by a DirectoryLock is Locked, and the other way round", () =>
      Effect.gen(function* () {
        const path = yield* temporaryDirectory
        yield* opens(path)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const lock = yield* DirectoryLock.acquire(path)
            assert.strictEqual(lock.path, path)
            assert.strictEqual(yield* tagOf(opens(path)), "Locked")
            // Who only reads heeds no lock.
            yield* Effect.scoped(RocksDB.make({ path, readOnly: true }))
          })
        )
        yield* use(path, () =>
          Effect.gen(function* () {
            const reason = yield* reasonOf(Effect.scoped(DirectoryLock.acquire(path, "rebuild")))
            assert.deepInclude(reason, { _tag: "Locked", operation: "rebuild", path })
          })
        )
      })
    )

    // Only where something can be mounted; CI must have it, see smallDisk.ts.
    it.effect.skipIf(!canMount)("a directory that is mounted twice has one owner", () =>
      Effect.gen(function* () {
        const { name } = yield* Engine.Engine
        const parent = yield* temporaryDirectory
        const [path, mount] = [Path.join(parent, "database"), Path.join(parent, "mount")]
        for (const directory of [path, mount]) Fs.mkdirSync(directory)
        const { code, stderr, stdout } = yield* Program.runWithMount(path, mount, "open", [name, path, mount])
        assert.strictEqual(code, 0, stderr)
        assert.deepStrictEqual(stdout.trim().split("\n"), ["opened", "Locked"])
      })
    )
  })
}

const noSpace = () => Object.assign(new Error("no space left on device"), { code: "ENOSPC" })
