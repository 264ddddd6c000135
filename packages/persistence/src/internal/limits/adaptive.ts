/**
 * The steps of an adaptive rate limit, which learns from "429 Too Many Requests"
 * with Retry-After what a server takes, as Effect's store in memory takes them.
 */
import * as Duration from "effect/Duration"
import type * as RateLimiter from "effect/persistence/RateLimiter"
import * as Schema from "effect/Schema"
import { Codec } from "../Codec.ts"
import type { States } from "../States.ts"
import type { View } from "../Transactions.ts"

/** What has been learned; times in milliseconds. */
export type AdaptiveState = typeof State.Type

const State = Schema.Struct({
  phase: Schema.Literals(["cooldown", "learning", "learned"]),
  /** Tells feedback to what was asked before the last change of phase. */
  epoch: Schema.Int,
  cooldownUntil: Schema.Number,
  learningStartedAt: Schema.Number,
  observedTokens: Schema.Number,
  learnedLimit: Schema.Number,
  learnedWindow: Schema.Number,
  expiresAt: Schema.Number
})

/** The records of {@link AdaptiveState}. */
export const Adaptive = new Codec("The state of an adaptive rate limit", State)

/** Takes tokens, and says how long to wait. */
export const consume = (
  states: States<AdaptiveState>,
  view: View,
  now: number,
  { fallbackWindow, key, tokens }: RateLimiter.AdaptiveConsumeOptions
): RateLimiter.AdaptiveConsumeResult => {
  const state = unexpired(states.get(view, key), now)
  const put = (changed: AdaptiveState) => states.put(view, key, changed, changed.expiresAt)
  if (state === undefined) return answer("inactive", 0)
  switch (state.phase) {
    case "cooldown": {
      if (state.cooldownUntil > now) return answer("cooldown", state.epoch, state.cooldownUntil - now)
      const epoch = state.epoch + 1
      const expiresAt = now + Duration.toMillis(fallbackWindow) + grace
      put({ ...state, phase: "learning", epoch, learningStartedAt: now, observedTokens: tokens, expiresAt })
      return answer("learning", epoch)
    }
    case "learning":
      put({ ...state, observedTokens: state.observedTokens + tokens })
      return answer("learning", state.epoch)
    case "learned": {
      const refill = state.learnedWindow / state.learnedLimit
      const isOver = state.cooldownUntil <= now
      const observedTokens = (isOver ? 0 : state.observedTokens) + tokens
      const cooldownUntil = (isOver ? now : state.cooldownUntil) + refill * tokens
      put({ ...state, observedTokens, cooldownUntil })
      const elapsed = observedTokens * refill - (cooldownUntil - now)
      const window = Math.floor((observedTokens - 1) / state.learnedLimit)
      return answer("learned", state.epoch, window * state.learnedWindow - elapsed)
    }
  }
}

/** Learns from the answer of a server. */
export const learn = (
  states: States<AdaptiveState>,
  view: View,
  now: number,
  { epoch, key, retryAfter, status, tokens }: RateLimiter.AdaptiveFeedbackOptions
): void => {
  if (status !== 429 || retryAfter === undefined) return
  const retryMillis = clamp(Duration.toMillis(retryAfter))
  const state = unexpired(states.get(view, key), now)
  if ((state?.epoch ?? 0) !== epoch) return
  const put = (changed: AdaptiveState) => states.put(view, key, changed, changed.expiresAt)
  const cooldownUntil = now + retryMillis
  if (state?.phase === "cooldown") {
    const later = Math.max(state.cooldownUntil, cooldownUntil)
    return put({ ...state, cooldownUntil: later, expiresAt: later + grace })
  }
  const accepted = state?.phase === "learning" ? state.observedTokens - tokens : 0
  if (state === undefined || accepted <= 0) {
    return put({ ...nothingLearned, epoch, cooldownUntil, expiresAt: cooldownUntil + grace })
  }
  const learnedWindow = clamp(now - state.learningStartedAt + retryMillis)
  put({
    ...state,
    phase: "learned",
    epoch: state.epoch + 1,
    cooldownUntil: state.learningStartedAt + learnedWindow,
    observedTokens: accepted,
    learnedLimit: accepted,
    learnedWindow,
    expiresAt: now + learnedWindow + grace
  })
}

const nothingLearned = {
  phase: "cooldown",
  learningStartedAt: 0,
  observedTokens: 0,
  learnedLimit: 0,
  learnedWindow: 0
} as const

/** How long a state outlives what it says. */
const grace = 60_000

/** The longest window that is learned. */
const maxWindow = 60 * 60 * 1_000

const clamp = (millis: number): number => (Number.isNaN(millis) || millis <= 0 ? 1 : Math.min(millis, maxWindow))

const unexpired = (state: AdaptiveState | undefined, now: number): AdaptiveState | undefined =>
  state === undefined || state.expiresAt <= now ? undefined : state

const answer = (phase: RateLimiter.AdaptivePhase, epoch: number, millis = 0): RateLimiter.AdaptiveConsumeResult => ({
  delay: millis <= 0 ? Duration.zero : Duration.millis(millis),
  epoch,
  phase
})
