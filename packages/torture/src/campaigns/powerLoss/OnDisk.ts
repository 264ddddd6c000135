/**
 * Bookies on a disk of their own that loses its power: whatever they and
 * RocksDB had not brought to that disk is gone, whoever was to sync it.
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Disk from "../../harness/Disk.ts"
import type * as Engines from "../../harness/Engines.ts"
import type { Findings } from "../../harness/Findings.ts"
import * as Process from "../../harness/Process.ts"
import type * as Random from "../../harness/Random.ts"
import { Expectation, progressOf } from "../../model/Expectation.ts"
import { inspectBy } from "../../model/Inspector.ts"

/** In milliseconds. */
const longestLife = 250

/** A bookie, from an empty disk on. */
export class OnDisk {
  readonly #engine: Engines.Engine
  readonly #random: Random.Random
  readonly #findings: Findings
  readonly #room: string
  readonly #disk: Disk.Disk
  readonly #seed: number
  readonly #expectation: Expectation
  acknowledged = 0

  constructor(engine: Engines.Engine, random: Random.Random, findings: Findings, room: string) {
    this.#engine = engine
    this.#random = random
    this.#findings = findings
    this.#room = room
    this.#disk = Disk.of(room)
    this.#seed = random.below(1_000_000)
    this.#expectation = new Expectation(this.#seed)
    Disk.format(this.#disk, { journal: true, mebibytes: 120 })
  }

  /** Lets it work, takes the power away, and reads what is left. */
  readonly losePower = Effect.fnUntraced(function* (this: OnDisk) {
    const first = this.#expectation.next
    const millis = this.#random.below(longestLife)
    const where = `${this.#engine.name} on a disk, seed ${this.#seed}, without power after ${millis} ms, from operation ${first}`
    const after = `${this.#room}/after`
    const program = this.#engine.program("model/bookie", this.#disk.directory, String(this.#seed), String(first))
    const ended = yield* Effect.scoped(
      Effect.gen({ self: this }, function* () {
        const child = yield* Process.start(Disk.powered(this.#disk, after, program))
        yield* child.printed("\n")
        yield* Effect.sleep(millis)
        yield* child.kill("SIGTERM")
        return yield* child.ended
      })
    )
    if (ended.code !== killed) return this.#findings.add(`${where}: it ${Process.describe(ended)}`)
    const progress = progressOf(ended.stdout, first)
    this.acknowledged += progress.count
    Fs.renameSync(after, this.#disk.image)
    // Of a copy, so that the next bookie recovers what this one left, and not what the inspection did.
    const copy = Disk.of(`${this.#room}/copy`)
    Fs.mkdirSync(copy.directory, { recursive: true })
    Fs.copyFileSync(this.#disk.image, copy.image)
    const inspection = this.#engine.program("model/inspect", String(this.#seed), copy.directory)
    const found = yield* Effect.result(inspectBy(Disk.mounted(copy, inspection)))
    if (found._tag === "Failure") {
      // Before the first acknowledgement there need be nothing.
      if (first > 0 || progress.count > 0) this.#findings.add(`${where}: ${found.failure.message}`)
      return
    }
    for (const problem of found.success.problems) this.#findings.add(`${where}: ${problem}`)
    const problem = this.#expectation.follow(progress, found.success, "power loss")
    if (problem !== undefined) this.#findings.add(`${where}: ${problem}`)
  }).bind(this)
}

/** What a shell says of a process that died of SIGKILL. */
const killed = 128 + 9
