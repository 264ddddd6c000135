/**
 * Watches what this process brings to disk: its own calls of fdatasync and
 * fsync, and the sizes of the files at that time. It can hold a call back, and
 * make the next one fail as a broken disk does.
 */
import { Effect, Latch } from "effect"
import type { Scope } from "effect"
import Fs from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import * as Path from "node:path"

type Callback = (error: NodeJS.ErrnoException | null, descriptor?: number) => void

/** The disk as a test sees it. */
export class Disk {
  /** How many files have been brought to disk, and how many directories. */
  files = 0
  directories = 0
  readonly #sizes = new Map<number, number>()
  #latch: Latch.Latch | undefined
  #failure: string | undefined
  #openFailure: { readonly path: string; readonly code: string } | undefined
  #afterOpen: { readonly path: string; readonly run: () => void | Promise<void> } | undefined

  /** Watches the disk for the length of the scope. */
  static readonly watch: Effect.Effect<Disk, never, Scope.Scope> = Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => {
        const disk = new Disk()
        const { fdatasync, fsync, open } = Fs
        return { disk, restore: disk.#patch({ fdatasync, fsync, open }) }
      }),
      ({ restore }) => Effect.sync(restore)
    ),
    ({ disk }) => disk
  )

  /** The names of the log files of a directory that hold bytes which have not been brought to disk. */
  unsynced(directory: string): ReadonlyArray<string> {
    return Fs.readdirSync(directory)
      .filter((name) => name.endsWith(".log"))
      .filter((name) => {
        // One that RocksDB has removed by now was flushed to an SST file.
        const stat = Fs.statSync(Path.join(directory, name), { throwIfNoEntry: false })
        return stat !== undefined && stat.size > (this.#sizes.get(stat.ino) ?? 0)
      })
  }

  /** Holds back each fdatasync until the function that it returns is called. */
  hold(): () => void {
    const latch = Latch.makeUnsafe()
    this.#latch = latch
    return () => {
      if (this.#latch === latch) this.#latch = undefined
      latch.openUnsafe()
    }
  }

  /** Lets the next fdatasync fail. */
  failNext(code: string): void {
    this.#failure = code
  }

  /** Lets the next open of a path fail. */
  failNextOpen(path: string, code: string): void {
    this.#openFailure = { path, code }
  }

  /** Runs something to its end once the next open of a path has succeeded, and before its caller hears of it. */
  afterNextOpen(path: string, run: () => void | Promise<void>): void {
    this.#afterOpen = { path, run }
  }

  #patch(real: Pick<typeof Fs, "fdatasync" | "fsync" | "open">): () => void {
    const fdatasync = (descriptor: number, callback: Callback) => {
      this.files += 1
      const { ino, size } = Fs.fstatSync(descriptor)
      const sync = () => {
        const code = this.#failure
        this.#failure = undefined
        if (code !== undefined) return callback(failure(code))
        real.fdatasync(descriptor, (error) => {
          if (error === null) this.#sizes.set(ino, size)
          callback(error)
        })
      }
      if (this.#latch === undefined) sync()
      else Effect.runCallback(Effect.andThen(this.#latch.await, Effect.sync(sync)))
    }
    const fsync = (descriptor: number, callback: Callback) => {
      if (Fs.fstatSync(descriptor).isDirectory()) this.directories += 1
      real.fsync(descriptor, callback)
    }
    const open = (path: string, flags: string, callback: Callback) => {
      const expected = this.#openFailure
      const after = this.#afterOpen
      if (after?.path === path) {
        this.#afterOpen = undefined
        return real.open(path, flags, (error, descriptor) => {
          void Promise.resolve(after.run()).then(() => callback(error, descriptor))
        })
      }
      if (expected?.path !== path) return real.open(path, flags, callback)
      this.#openFailure = undefined
      callback(failure(expected.code))
    }
    return install(Object.assign(Fs, { fdatasync, fsync, open }), real)
  }
}

const install = (patched: typeof Fs, real: Partial<typeof Fs>): (() => void) => {
  syncBuiltinESMExports()
  return () => {
    Object.assign(patched, real)
    syncBuiltinESMExports()
  }
}

const failure = (code: string): NodeJS.ErrnoException =>
  Object.assign(new Error(`${code}: i/o error, fdatasync`), { code })
