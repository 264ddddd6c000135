/**
 * What the programs share that are run out of descriptors.
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import type { RocksDBError } from "@effect-bookie/rocksdb"

/** Lets this process have few descriptors, so that it soon has had them all. */
export const limit = (): void => {
  const { status, stderr } = spawnSync("prlimit", ["--nofile=200:200", `--pid=${process.pid}`], { encoding: "utf8" })
  if (status !== 0) throw new Error(`prlimit: ${stderr}`)
}

/** Takes every descriptor but so many, and answers how to give them back. */
export const exhaust = (left: number): (() => void) => {
  const taken: Array<number> = []
  try {
    while (true) taken.push(Fs.openSync("/dev/null", "r"))
  } catch {
    for (const descriptor of taken.splice(0, left)) Fs.closeSync(descriptor)
  }
  return () => taken.forEach((descriptor) => Fs.closeSync(descriptor))
}

/** `ok`, or the reason of the failure with the operating system's code and whether it may pass. */
export const answerOf = (exit: Exit.Exit<unknown, RocksDBError.RocksDBError>): string => {
  if (Exit.isSuccess(exit)) return "ok"
  const error = Cause.findError(exit.cause)
  if (Result.isFailure(error)) return Cause.pretty(exit.cause)
  const { isRetryable, reason } = error.success
  return `${reason._tag} ${reason._tag === "IOError" ? reason.code : ""} ${isRetryable ? "passes" : "stays"}`
}
