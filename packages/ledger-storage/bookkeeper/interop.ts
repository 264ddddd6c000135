/**
 * Holds the entries of `LedgerStorage` against Apache BookKeeper's DigestManager.
 *
 * A seed makes a storage with random ledgers, and takes what it writes to its
 * log. For each entry BookKeeper says what its own client would send, which must
 * be the same bytes, and what it reads out of ours: the payload, the last add
 * confirmed and the length. A body with a flipped bit must be refused by both.
 *
 *     npm run interop:storage                            five random seeds
 *     npm run interop:storage -- --seed 1234 --seeds 1   that seed again
 *
 * The judge is the Java program beside the entry log; see there. Exits 1 if a
 * seed fails, and 2 if Java or Maven is missing.
 */
import { EntryId, LedgerId } from "@effect-bookie/entry-log"
import { Effect } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { parseArgs } from "node:util"
import * as Judge from "../../entry-log/bookkeeper/interop/Judge.ts"
import { Random } from "../../entry-log/bookkeeper/interop/Random.ts"
import * as EntryFrame from "../src/internal/format/EntryFrame.ts"
import * as MemoryBackend from "../src/internal/memory/MemoryBackend.ts"
import { defaults } from "../src/internal/options.ts"
import * as Storage from "../src/internal/Storage.ts"

const main = async (): Promise<number> => {
  const missing = Judge.missing()
  if (missing.length > 0) {
    console.error(
      `${missing.join(" and ")} cannot be started, and BookKeeper is written in Java: install it and try again.`
    )
    return 2
  }
  const { values } = parseArgs({ options: { seed: { type: "string" }, seeds: { type: "string", default: "5" } } })
  const first = values.seed === undefined ? Math.floor(Math.random() * 1_000_000) : Number(values.seed)
  const count = Number(values.seeds)
  if (!Number.isSafeInteger(first) || first < 0 || !Number.isSafeInteger(count) || count < 1) {
    console.error("--seed must be a whole number from 0, and --seeds one from 1.")
    return 1
  }
  Judge.build()
  const root = Fs.mkdtempSync(Path.join(Judge.folder, "target", "digests-"))
  const seeds = Array.from({ length: count }, (_, index) => first + index)
  const trials = await Promise.all(seeds.map((seed) => trialOf(Path.join(root, `${seed}`), seed)))
  const said = await Judge.run(
    trials.map(({ path }) => ({ output: `${path}.said`, words: ["digest", `${path}.rows`] }))
  )
  const problems = trials.map(problemOf)
  trials.forEach(({ rows, seed }, index) => {
    const problem = problems[index]
    if (problem === undefined)
      console.log(`seed ${seed}: ${rows.length} bodies, the same to LedgerStorage and to BookKeeper`)
    else console.log(`seed ${seed}: ${problem}\n  again: --seed ${seed} --seeds 1`)
  })
  const failed = problems.some((problem) => problem !== undefined)
  if (failed) console.error(`${said}The tables are kept in ${root}`)
  else Fs.rmSync(root, { recursive: true, force: true })
  return failed ? 1 : 0
}

/** An entry, the body that is to be judged, and whether a bit of it was flipped. */
interface Row {
  readonly ledgerId: bigint
  readonly entryId: bigint
  readonly length: bigint
  readonly payload: Uint8Array
  readonly body: Uint8Array
  readonly isFlipped: boolean
}

interface Trial {
  readonly seed: number
  readonly path: string
  readonly rows: ReadonlyArray<Row>
}

/** Writes the table of a seed. */
const trialOf = async (path: string, seed: number): Promise<Trial> => {
  const random = new Random(seed, "digests")
  const rows = (await Effect.runPromise(bodies(random))).flatMap((body): ReadonlyArray<Row> => {
    const decoded = EntryFrame.decode(body)
    if ("problem" in decoded) throw new Error(`a body of ours is refused: ${decoded.problem}`)
    const flipped = body.slice()
    const place = random.integer(flipped.length)
    flipped[place] = (flipped[place] ?? 0) ^ (1 << random.integer(8))
    return [
      { ...decoded, body, isFlipped: false },
      { ...decoded, body: flipped, isFlipped: true }
    ]
  })
  Fs.writeFileSync(
    `${path}.rows`,
    ["ledger\tentry\tlastAddConfirmed\tlength\tpayload\tbody", ...rows.map(format), ""].join("\n")
  )
  return { seed, path, rows }
}

const format = ({ body, entryId, ledgerId, length, payload }: Row): string =>
  [ledgerId, entryId, entryId - 1n, length, hex(payload), hex(body)].join("\t")

/** The bodies of all entries that a storage with random ledgers writes to its log. */
const bodies = (random: Random): Effect.Effect<ReadonlyArray<Uint8Array>> =>
  Effect.gen(function* () {
    const written: Array<Uint8Array> = []
    const memory = MemoryBackend.make()
    const storage = yield* Storage.make(
      {
        ...memory,
        log: { ...memory.log, append: (frames) => Effect.sync(() => written.push(...entriesOf(frames))) }
      },
      defaults
    )
    for (let ledger = 0; ledger < 5; ledger += 1) {
      const ledgerId = ledger === 0 ? largestLedgerId : LedgerId.make(random.id())
      yield* storage.createLedger({ ledgerId, metadata: random.bytes(random.integer(100)) })
      const payloads = Array.from({ length: 1 + random.integer(60) }, () => random.bytes(sizeOf(random)))
      yield* Effect.forEach(payloads, (payload) => storage.append(ledgerId, payload), { concurrency: 8 })
    }
    return written
  }).pipe(Effect.scoped, Effect.orDie)

const largestLedgerId = LedgerId.make(2n ** 63n - 1n)

const sizeOf = (random: Random): number =>
  random.chance(0.1) ? 0 : random.chance(0.05) ? 200_000 + random.integer(100_000) : random.integer(2000)

/** Copies of the bodies of a group's entries, without its records. */
const entriesOf = (frames: Uint8Array): ReadonlyArray<Uint8Array> => {
  const view = new DataView(frames.buffer, frames.byteOffset, frames.length)
  const found: Array<Uint8Array> = []
  for (let offset = 0; offset < frames.length; offset += EntryFrame.frameSizeAt(view, offset)) {
    const body = frames.slice(offset + EntryFrame.sizeFieldSize, offset + EntryFrame.frameSizeAt(view, offset))
    if (view.getBigInt64(offset + EntryFrame.sizeFieldSize) >= 0n) found.push(body)
  }
  return found
}

/** The first row of which BookKeeper thinks otherwise than we do. */
const problemOf = ({ path, rows }: Trial): string | undefined => {
  const lines = Fs.existsSync(`${path}.said`) ? Fs.readFileSync(`${path}.said`, "utf8").split("\n").slice(1, -1) : []
  if (lines.length !== rows.length) return `${rows.length} bodies were judged, and ${lines.length} answers came`
  for (const [index, row] of rows.entries()) {
    const { body, entryId, isFlipped, ledgerId, length, payload } = row
    const read = isFlipped ? ["-", "-", "-"] : [hex(payload), entryId - 1n, length]
    const sent = isFlipped ? hex(encoded(row)) : hex(body)
    const expected = [ledgerId, entryId, sent, ...read].join("\t")
    if (lines[index] !== expected) return `BookKeeper says\n    ${lines[index]}\n  and not\n    ${expected}`
    if (isFlipped && !("problem" in EntryFrame.decode(body)))
      return `we accept ${hex(body)}, in which a bit was flipped`
  }
  return undefined
}

/** The body that we write for a row. */
const encoded = ({ entryId, ledgerId, length, payload }: Row): Uint8Array => {
  const frame = new Uint8Array(EntryFrame.frameSize(payload))
  const view = new DataView(frame.buffer)
  EntryFrame.putPayload(frame, view, 0, payload)
  EntryFrame.putHeader(frame, view, 0, LedgerId.make(ledgerId), EntryId.make(entryId), length)
  return frame.subarray(EntryFrame.sizeFieldSize)
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

process.exitCode = await main()
