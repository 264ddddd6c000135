/**
 * What a full disk asks for, on an engine that does not get over one by itself:
 * a database that refuses what could not succeed, holds back what would never
 * end, and is opened anew once there is room (see `RecoveringDatabase.ts`). The
 * same gets it over too many open files, and over a device that did not answer.
 */
import * as Effect from "effect/Effect"
import type * as Engine from "../../Engine.ts"
import { RecoveringDatabase } from "./RecoveringDatabase.ts"

/** The engine, whose databases work again once what they failed for is over. */
export const withFullDisk = (engine: Engine.Service): Engine.Service => ({
  name: engine.name,
  open: (options) =>
    Effect.contextWith((context) => {
      const runPromise = Effect.runPromiseWith(context)
      const reopen = (readOnly: boolean) => runPromise(engine.open({ ...options, readOnly }))
      return Effect.map(engine.open(options), (native) => new RecoveringDatabase(options, native, reopen))
    })
})
