/**
 * Refusals of the operating system on demand: stands between this package and
 * node:fs, which does everything else for real.
 */
import { Effect, type Scope } from "effect"
import Fs from "node:fs"
import { syncBuiltinESMExports } from "node:module"

/** A call of a function of node:fs or, with `promises.` before its name, of node:fs/promises. */
export interface Call {
  readonly name: string
  /** Its number among all calls, from 0. */
  readonly number: number
}

/**
 * While the scope is open, fails each call for which a code is answered. A write that is refused has written half of its
 * bytes, and a close that is refused has closed; of every other call nothing has been done.
 */
export const refuse = (codeOf: (call: Call) => string | undefined): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      let calls = 0
      const next = (name: string) => errorOf(name, codeOf({ name, number: calls++ }))
      const originals = [
        ...callbackNames.map((name) => ({ target: Fs, name, patched: withCallback(name, next) })),
        ...promiseNames.map((name) => ({ target: Fs.promises, name, patched: withPromise(name, next) }))
      ].map(({ name, patched, target }) => {
        const original: unknown = Reflect.get(target, name)
        Reflect.set(target, name, patched)
        return { target, name, original }
      })
      syncBuiltinESMExports()
      return originals
    }),
    (originals) =>
      Effect.sync(() => {
        for (const { name, original, target } of originals) Reflect.set(target, name, original)
        syncBuiltinESMExports()
      })
  )

const callbackNames = ["open", "close", "fsync", "fdatasync", "ftruncate", "fstat", "stat", "read", "write"] as const

const promiseNames = ["readdir", "mkdir", "rename", "writeFile", "readFile", "stat"] as const

type Next = (name: string) => NodeJS.ErrnoException | undefined

const withCallback = (name: (typeof callbackNames)[number], next: Next) => {
  const original = Fs[name]
  return (...args: ReadonlyArray<unknown>): void => {
    const callback = args.at(-1)
    if (typeof callback !== "function") throw new Error(`${name} was called without a callback`)
    const error = next(name)
    if (error === undefined) return Reflect.apply(original, Fs, args)
    const answer = () => void Reflect.apply(callback, undefined, [error])
    if (name === "close") return Reflect.apply(original, Fs, [args[0], answer])
    const [descriptor, bytes, offset, length, position] = args
    if (name === "write" && typeof length === "number") {
      const half = Math.floor(length / 2)
      return Reflect.apply(original, Fs, [descriptor, bytes, offset, half, position, answer])
    }
    setImmediate(answer)
  }
}

const withPromise = (name: (typeof promiseNames)[number], next: Next) => {
  const original = Fs.promises[name]
  return async (...args: ReadonlyArray<unknown>): Promise<unknown> => {
    const error = next(`promises.${name}`)
    if (error !== undefined) throw error
    return Reflect.apply(original, Fs.promises, args)
  }
}

const errorOf = (name: string, code: string | undefined): NodeJS.ErrnoException | undefined =>
  code === undefined ? undefined : Object.assign(new Error(`${code}: refused, ${name}`), { code })
