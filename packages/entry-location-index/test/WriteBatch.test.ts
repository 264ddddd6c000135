/**
 * WriteBatch: mutations in their order, however they were gathered, and the groups that
 * they are cut into.
 */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { EntryId, LedgerId, Location } from "../src/index.ts"
import * as Words from "../src/internal/WriteBatch.ts"
import { WriteBatch } from "../src/internal/WriteBatch.ts"
import { join } from "../src/internal/words.ts"
import { maxId } from "./support.ts"

const ids = [0n, 1n, 255n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n, maxId]

const Mutation = Schema.Union([
  Schema.TaggedStruct("add", {
    ledgerId: Schema.Literals([1n, 2n, 2n ** 32n + 1n, maxId]),
    entryId: Schema.Literals(ids),
    location: Schema.Literals(ids)
  }),
  Schema.TaggedStruct("delete", { ledgerId: Schema.Literals([1n, 2n, 2n ** 32n + 1n, maxId]) })
])

type Mutation = typeof Mutation.Type

const addTo = (changes: WriteBatch, mutation: Mutation): void => {
  const ledgerId = LedgerId.make(mutation.ledgerId)
  if (mutation._tag === "delete") changes.deleteLedger(ledgerId)
  else changes.add(ledgerId, EntryId.make(mutation.entryId), Location.make(mutation.location))
}

const gather = (mutations: ReadonlyArray<Mutation>): WriteBatch => {
  const changes = new WriteBatch(1)
  for (const mutation of mutations) addTo(changes, mutation)
  return changes
}

/** The mutations that changes are, read from their words. */
const mutationsOf = (changes: WriteBatch): ReadonlyArray<Mutation> =>
  Array.from({ length: changes.size }, (_, mutation) => {
    const id = (highAt: number, lowAt: number) =>
      join(changes.words[mutation * Words.stride + highAt] ?? 0, changes.words[mutation * Words.stride + lowAt] ?? 0)
    const ledgerId = id(Words.ledgerHighAt, Words.ledgerLowAt)
    return (
      changes.isDelete(mutation)
        ? { _tag: "delete", ledgerId }
        : {
            _tag: "add",
            ledgerId,
            entryId: id(Words.entryHighAt, Words.entryLowAt),
            location: id(Words.highAt, Words.lowAt)
          }
    ) as Mutation
  })

/** The groups, as the mutations that each of them has. */
const groupsOf = (changes: WriteBatch): ReadonlyArray<ReadonlyArray<Mutation>> => {
  const mutations = mutationsOf(changes)
  const groups: Array<ReadonlyArray<Mutation>> = []
  for (let start = 0; start < changes.size; start = changes.endOfGroup(start)) {
    groups.push(mutations.slice(start, changes.endOfGroup(start)))
  }
  return groups
}

const Mutations = Schema.Array(Mutation).check(Schema.isMaxLength(40))

describe("changes", () => {
  it.prop("are their mutations, in their order", { mutations: Mutations }, ({ mutations }) => {
    const changes = gather(mutations)
    assert.strictEqual(changes.size, mutations.length)
    assert.deepStrictEqual(mutationsOf(changes), mutations)
  })

  it.prop(
    "are cut into groups: adds to one ledger that are as many as can be, and deletes alone",
    { mutations: Mutations },
    ({ mutations }) => {
      const groups = groupsOf(gather(mutations))
      assert.deepStrictEqual(groups.flat(), mutations)
      for (const [nth, group] of groups.entries()) {
        assert.strictEqual(new Set(group.map(({ _tag, ledgerId }) => `${_tag} ${ledgerId}`)).size, 1)
        assert.isTrue(group[0]?._tag === "add" || group.length === 1)
        const before = groups[nth - 1]?.[0]
        assert.isFalse(before?._tag === "add" && group[0]?._tag === "add" && before.ledgerId === group[0].ledgerId)
      }
    }
  )

  it("have no group longer than a record may hold", () => {
    const changes = new WriteBatch()
    for (let at = 0; at < 150_000; at++) changes.add(LedgerId.make(1n), EntryId.make(BigInt(at)), Location.make(1n))
    const lengths: Array<number> = []
    for (let start = 0; start < changes.size;) {
      const end = changes.endOfGroup(start)
      lengths.push(end - start)
      start = end
    }
    assert.deepStrictEqual(lengths, [65_536, 65_536, 150_000 - 2 * 65_536])
  })

  it.prop(
    "of several commits are those of one after another, and none of those is changed",
    { parts: Schema.Array(Mutations).check(Schema.isMaxLength(6)) },
    ({ parts }) => {
      const gathered = parts.map(gather)
      const merged = WriteBatch.merge(gathered)
      assert.strictEqual(merged.size, parts.flat().length)
      assert.deepStrictEqual(mutationsOf(merged), parts.flat())
      assert.deepStrictEqual(gathered.map(mutationsOf), parts)
    }
  )

  it.prop(
    "of several commits can be added to",
    { left: Mutations, right: Mutations, more: Mutations },
    ({ left, more, right }) => {
      const merged = WriteBatch.merge([gather(left), gather(right)])
      for (const mutation of more) addTo(merged, mutation)
      assert.deepStrictEqual(mutationsOf(merged), [...left, ...right, ...more])
    }
  )
})
