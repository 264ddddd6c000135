/**
 * The steps of the two algorithms of a rate limiter, as Effect's store in memory
 * takes them.
 */
import * as Duration from "effect/Duration"
import type * as RateLimiter from "effect/persistence/RateLimiter"
import * as Schema from "effect/Schema"
import { Codec } from "../Codec.ts"
import type { States } from "../States.ts"
import type { View } from "../Transactions.ts"

type Store = RateLimiter.RateLimiterStore["Service"]

/** How many tokens the window has given, and when it ends. */
export const FixedWindow = new Codec(
  "The window of a rate limit",
  Schema.Struct({ count: Schema.Number, expiresAt: Schema.Number })
)

/** How many tokens the bucket has had since a time. */
export const TokenBucket = new Codec(
  "The bucket of a rate limit",
  Schema.Struct({ tokens: Schema.Number, lastRefill: Schema.Number })
)

/** Takes tokens out of a window, unless that has a limit which they would exceed. */
export const consumeFixedWindow = (
  states: States<{ readonly count: number; readonly expiresAt: number }>,
  view: View,
  now: number,
  { key, limit, refillRate, tokens }: Parameters<Store["fixedWindow"]>[0]
): readonly [count: number, ttl: number] => {
  const found = states.get(view, key)
  const window = found === undefined || found.expiresAt <= now ? { count: 0, expiresAt: now } : found
  const count = window.count + tokens
  if (limit !== undefined && count > limit) return [count, window.expiresAt - now]
  const expiresAt = window.expiresAt + Duration.toMillis(refillRate) * tokens
  states.put(view, key, { count, expiresAt }, expiresAt)
  return [count, expiresAt - now]
}

/** Fills a bucket up and takes tokens out, unless that would leave fewer than none and may not. */
export const consumeTokenBucket = (
  states: States<{ readonly tokens: number; readonly lastRefill: number }>,
  view: View,
  now: number,
  { allowOverflow, key, limit, refillRate, tokens }: Parameters<Store["tokenBucket"]>[0]
): readonly [remaining: number, elapsedMillis: number] => {
  const refillMillis = Duration.toMillis(refillRate)
  const found = states.get(view, key) ?? { tokens: limit, lastRefill: now }
  const added = Math.max(0, Math.floor((now - found.lastRefill) / refillMillis))
  const filled = added > 0 ? Math.min(limit, found.tokens + added) : found.tokens
  const lastRefill = filled >= limit ? now : found.lastRefill + (added > 0 ? added * refillMillis : 0)
  const remaining = filled - tokens
  if (allowOverflow || remaining >= 0) {
    const full = lastRefill + Math.ceil(limit - remaining) * refillMillis
    states.put(view, key, { tokens: remaining, lastRefill }, full)
  }
  return [remaining, Math.max(0, now - lastRefill)]
}
