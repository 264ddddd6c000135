/**
 * An engine in memory that answers when a seed says so, and watches what an
 * engine is promised: one close, with every cursor ended and nothing in flight,
 * and no call after it.
 *
 * It stands beside the real engines, not for them: only with it can an
 * interleaving be repeated.
 */
import { Engine } from "@effect-bookie/rocksdb"
import * as Bytes from "effect/Bytes"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Findings } from "../../harness/Findings.ts"

/** Provides the engine. What a path holds outlives its database. */
export const layer = (turn: () => Promise<void>, findings: Findings): Layer.Layer<Engine.Engine> => {
  const disks = new Map<string, Map<string, Engine.Entry>>()
  const open = new Set<string>()
  return Layer.succeed(Engine.Engine)({
    name: "memory",
    open: ({ path }) =>
      Effect.promise(async () => {
        await turn()
        findings.check(!open.has(path), "the engine was asked to open a directory that it has open")
        open.add(path)
        const disk = disks.get(path) ?? new Map<string, Engine.Entry>()
        disks.set(path, disk)
        return new MemoryDatabase(disk, turn, findings, () => open.delete(path))
      })
  })
}

type Disk = Map<string, Engine.Entry>

class MemoryDatabase implements Engine.Database {
  readonly #disk: Disk
  readonly #turn: () => Promise<void>
  readonly #findings: Findings
  readonly #onClose: () => void
  #inFlight = 0
  #cursors = 0
  #closed = false

  constructor(disk: Disk, turn: () => Promise<void>, findings: Findings, onClose: () => void) {
    this.#disk = disk
    this.#turn = turn
    this.#findings = findings
    this.#onClose = onClose
  }

  getMany = (keys: ReadonlyArray<Uint8Array>): Promise<ReadonlyArray<Uint8Array | undefined>> =>
    this.#call("getMany", () => keys.map((key) => this.#disk.get(hex(key))?.value))

  write = (operations: ReadonlyArray<Engine.Operation>): Promise<void> =>
    this.#call("write", () => {
      this.#findings.check(operations.length > 0, "the engine was asked to write nothing")
      for (const operation of operations) this.#apply(operation)
    })

  property = (name: string): Promise<string | undefined> => this.#call("property", () => (name === "" ? "" : "1"))

  compact = (): Promise<void> => this.#call("compact", () => {})

  syncWal = (): Promise<void> => this.#call("syncWal", () => {})

  isRecovering = (): Promise<boolean> => this.#call("isRecovering", () => false)

  cursor = ({ keysOnly, limit, lower, reverse, upper }: Engine.CursorOptions): Engine.Cursor => {
    this.#findings.check(!this.#closed, "a cursor was opened after the close of the engine")
    this.#cursors += 1
    const entries = [...this.#disk.values()]
      .filter(({ key }) => isAbove(key, lower) && isBelow(key, upper))
      .toSorted((left, right) => Bytes.Order(left.key, right.key) * (reverse ? -1 : 1))
      .slice(0, limit)
      .map((entry) => (keysOnly ? { ...entry, value: new Uint8Array(0) } : entry))
    let reading = false
    let ended = false
    return {
      next: () =>
        this.#call("next", () => entries.splice(0, 8), {
          begin: () => {
            this.#findings.check(!reading && !ended, "a cursor was read while it was read, or after its end")
            reading = true
          },
          end: () => (reading = false)
        }),
      end: async () => {
        this.#findings.check(!reading && !ended, "a cursor was ended while it was read, or twice")
        ended = true
        await this.#call("end", () => {})
        this.#cursors -= 1
      }
    }
  }

  close = async (): Promise<void> => {
    this.#findings.check(!this.#closed, "the engine was closed twice")
    this.#findings.check(this.#inFlight === 0, `the engine was closed with ${this.#inFlight} calls in flight`)
    this.#findings.check(this.#cursors === 0, `the engine was closed with ${this.#cursors} open cursors`)
    this.#closed = true
    await this.#turn()
    this.#onClose()
  }

  async #call<A>(
    name: string,
    run: () => A,
    { begin, end }: { readonly begin?: () => void; readonly end?: () => void } = {}
  ): Promise<A> {
    this.#findings.check(!this.#closed, `${name} reached the engine after its close`)
    begin?.()
    this.#inFlight += 1
    await this.#turn()
    const answer = run()
    await this.#turn()
    this.#inFlight -= 1
    end?.()
    return answer
  }

  #apply(operation: Engine.Operation): void {
    switch (operation.type) {
      case "put":
        this.#disk.set(hex(operation.key), { key: operation.key, value: operation.value })
        break
      case "remove":
        this.#disk.delete(hex(operation.key))
        break
      case "removeRange":
        for (const [name, { key }] of this.#disk) {
          if (Bytes.Order(key, operation.gte) >= 0 && Bytes.Order(key, operation.lt) < 0) this.#disk.delete(name)
        }
        break
    }
  }
}

const hex = (key: Uint8Array): string => Buffer.from(key).toString("hex")

const isAbove = (key: Uint8Array, bound: Engine.Bound | undefined): boolean => {
  if (bound === undefined) return true
  const order = Bytes.Order(key, bound.key)
  return order > 0 || (order === 0 && bound.inclusive)
}

const isBelow = (key: Uint8Array, bound: Engine.Bound | undefined): boolean => {
  if (bound === undefined) return true
  const order = Bytes.Order(key, bound.key)
  return order < 0 || (order === 0 && bound.inclusive)
}
