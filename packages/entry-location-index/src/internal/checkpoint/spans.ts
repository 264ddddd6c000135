/**
 * Spans of ledger ids: a bounded number of them, whatever they are to hold. When
 * there are more the two nearest become one.
 */

/** Ledger ids from `first` to `last`, both included. */
export interface Span {
  readonly first: bigint
  readonly last: bigint
}

/** How many spans there are at most. */
export const maxSpans = 16

/** Adds a ledger to spans that are in order and do not touch, and keeps them so. */
export const addToSpans = (spans: ReadonlyArray<Span>, ledgerId: bigint): ReadonlyArray<Span> =>
  spans.some(({ first, last }) => first <= ledgerId && ledgerId <= last)
    ? spans
    : addSpan(spans, { first: ledgerId, last: ledgerId })

/** Adds a span in the same way. */
export const addSpan = (spans: ReadonlyArray<Span>, { first, last }: Span): ReadonlyArray<Span> => {
  const before = spans.filter((span) => span.last < first - 1n)
  const after = spans.filter((span) => span.first > last + 1n)
  const touching = spans.slice(before.length, spans.length - after.length)
  const joined: Span = { first: least(first, touching[0]?.first), last: greatest(last, touching.at(-1)?.last) }
  const all = [...before, joined, ...after]
  return all.length > maxSpans ? joinNearest(all) : all
}

const joinNearest = (spans: ReadonlyArray<Span>): ReadonlyArray<Span> => {
  let nearest = 1
  let least = gap(spans, 1)
  for (let at = 2; at < spans.length; at++) {
    const other = gap(spans, at)
    if (other < least) [nearest, least] = [at, other]
  }
  const left = spans[nearest - 1]
  const right = spans[nearest]
  if (left === undefined || right === undefined) return spans
  return [...spans.slice(0, nearest - 1), { first: left.first, last: right.last }, ...spans.slice(nearest + 1)]
}

/** How far a span is from the one before it. */
const gap = (spans: ReadonlyArray<Span>, at: number): bigint => (spans[at]?.first ?? 0n) - (spans[at - 1]?.last ?? 0n)

const least = (left: bigint, right: bigint | undefined): bigint => (right !== undefined && right < left ? right : left)

const greatest = (left: bigint, right: bigint | undefined): bigint =>
  right !== undefined && right > left ? right : left
