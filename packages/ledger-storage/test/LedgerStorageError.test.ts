/**
 * The one error of the package.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { unreadableCauses } from "@effect-bookie/testing/hostile"
import { runInNewContext } from "node:vm"
import { LedgerStorageError } from "@effect-bookie/ledger-storage"
import { ledger } from "./support.ts"

const where = { operation: "append", storage: "/data" }

const withCode = (code: string) => Object.assign(new Error(`${code}: refused`), { code })

/** One error of each reason. */
const all: ReadonlyArray<LedgerStorageError.LedgerStorageError> = [
  LedgerStorageError.noLedger(ledger(7), where),
  LedgerStorageError.ledgerExists(ledger(7), where),
  LedgerStorageError.fenced(ledger(7), where),
  LedgerStorageError.noSpace("the disk is full", where),
  LedgerStorageError.corruption("0.log, byte 1024: it is no entry", where),
  LedgerStorageError.invalidArgument("the payload must be a Uint8Array, not Array", where),
  LedgerStorageError.locked(where),
  LedgerStorageError.closed(where),
  LedgerStorageError.readOnly(where),
  LedgerStorageError.fromSystem(withCode("EIO"), where)
]

const unreadable = unreadableCauses("LedgerStorageError")

describe("LedgerStorageError", () => {
  it("every reason says which operation failed, on which storage, and what to do", () => {
    assert.strictEqual(new Set(all.map(({ reason }) => reason._tag)).size, 10)
    for (const error of all) {
      assert.strictEqual(error.message, error.reason.message)
      assert.isTrue(error.message.startsWith("append: "))
      assert.strictEqual(error.reason.operation, "append")
      assert.strictEqual(error.reason.storage, "/data")
      assert.isAbove(error.message.length, 40)
    }
  })

  it("reasons about a ledger say which", () => {
    for (const error of all.slice(0, 3)) {
      assert.include(error.message, "ledger 7")
      assert.strictEqual("ledgerId" in error.reason ? error.reason.ledgerId : undefined, ledger(7))
    }
  })

  it("those that may go away by themselves are retryable, and no others", () => {
    const retryable = all.filter((error) => error.isRetryable).map(({ reason }) => reason._tag)
    assert.deepStrictEqual(retryable, ["NoSpace", "Locked"])
  })

  it("what the system says is told apart by its code", () => {
    const cases: ReadonlyArray<readonly [cause: unknown, tag: string, code: string | undefined, retryable: boolean]> = [
      [withCode("ENOSPC"), "NoSpace", undefined, true],
      [withCode("EDQUOT"), "NoSpace", undefined, true],
      [withCode("EIO"), "IOError", "EIO", false],
      [withCode("EACCES"), "IOError", "EACCES", false],
      [withCode("EMFILE"), "IOError", "EMFILE", true],
      [withCode("ENFILE"), "IOError", "ENFILE", true],
      [withCode("EAGAIN"), "IOError", "EAGAIN", true],
      [withCode("EINTR"), "IOError", "EINTR", true],
      [withCode("ENOMEM"), "IOError", "ENOMEM", true],
      [new Error("no code"), "IOError", undefined, false],
      [Object.assign(new Error("a number"), { code: 5 }), "IOError", undefined, false],
      ["a text", "IOError", undefined, false],
      [undefined, "IOError", undefined, false]
    ]
    for (const [cause, tag, code, retryable] of cases) {
      const error = LedgerStorageError.fromSystem(cause, where)
      assert.strictEqual(error.reason._tag, tag)
      assert.strictEqual(error.reason._tag === "IOError" ? error.reason.code : undefined, code)
      assert.strictEqual(error.isRetryable, retryable)
      assert.strictEqual(error.reason.cause, cause)
    }
  })

  it("an error of another realm is told apart as well", () => {
    const cause: unknown = runInNewContext('Object.assign(new Error("ENOSPC: no space"), { code: "ENOSPC" })')
    const { reason } = LedgerStorageError.fromSystem(cause, where)
    assert.strictEqual(reason._tag, "NoSpace")
    assert.include(reason.message, "ENOSPC: no space")
  })

  it("what cannot be read becomes an IOError, and is never thrown on", () => {
    for (const cause of unreadable)
      assert.strictEqual(LedgerStorageError.fromSystem(cause, where).reason._tag, "IOError")
  })

  it("an error is the same in the operation that met it, but for its name", () => {
    for (const error of all) {
      const { reason } = LedgerStorageError.inOperation(error, "readMany")
      const { cause, message, storage } = error.reason
      assert.strictEqual(reason.operation, "readMany")
      assert.strictEqual(reason.message, message.replace("append", "readMany"))
      assert.deepStrictEqual([reason._tag, reason.storage, reason.cause], [error.reason._tag, storage, cause])
      if (error.reason._tag === "IOError") assert.propertyVal(reason, "code", error.reason.code)
      if ("ledgerId" in error.reason) assert.propertyVal(reason, "ledgerId", error.reason.ledgerId)
    }
  })

  it("an error of this package stays what it is", () => {
    const error = LedgerStorageError.closed(where)
    assert.strictEqual(LedgerStorageError.fromSystem(error, { operation: "read", storage: "other" }), error)
  })

  it.effect("a reason can be caught by its tag", () =>
    Effect.gen(function* () {
      const failing: Effect.Effect<string, LedgerStorageError.LedgerStorageError> = Effect.fail(
        LedgerStorageError.fenced(ledger(7), where)
      )
      const caught = yield* failing.pipe(
        Effect.catchReason("LedgerStorageError", "Fenced", ({ ledgerId }) => Effect.succeed(`fenced ${ledgerId}`))
      )
      assert.strictEqual(caught, "fenced 7")
    })
  )

  it("every error can be encoded and decoded again", () => {
    for (const error of all) {
      const encoded = Schema.encodeUnknownSync(LedgerStorageError.LedgerStorageError)(error)
      const decoded = Schema.decodeUnknownSync(LedgerStorageError.LedgerStorageError)(encoded)
      assert.strictEqual(decoded.message, error.message)
      assert.strictEqual(decoded.reason._tag, error.reason._tag)
    }
  })
})
