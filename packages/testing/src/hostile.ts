/**
 * What may be thrown and cannot be read: code that looks at a cause must not
 * throw in its turn.
 */

/**
 * Causes of which no property can be read, or not the one that would tell, and what only looks like an error with a
 * tag.
 */
export const unreadableCauses = (tag: string): ReadonlyArray<unknown> => [
  revoked(),
  ...["_tag", "message", "code", "syscall", "cause"].map((name) => throwing(name)),
  throwing("reason", { _tag: tag }),
  throwing("cause", { message: "Batch was not applied" }),
  Object.assign(Object.create(null), { _tag: tag, reason: 5 })
]

const throwing = (name: string, carried: object = {}) =>
  Object.defineProperty({ ...carried }, name, {
    get: () => {
      throw revoked()
    }
  })

const revoked = () => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}
