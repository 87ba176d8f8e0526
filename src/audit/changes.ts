/** Every kind of change that the audit tells of, in one table: its name, and what it means. Events have the same names. */
export const CHANGES = {
  'app.changed': "an app's own settings were changed",
  'build.archived': 'a tarball was archived',
  'check.recorded': 'the result of a check was recorded',
  'promotion.requested': 'somebody, or a policy, asked for a build to be published in an environment',
  'promotion.moved': 'a promotion went from one state to another',
  'promotion.insisted': 'somebody skipped the waiting of a promotion, or lifted the withdrawal of its build',
  'promotion.approved': 'somebody approved a promotion',
  'release.published': 'a build was published in an environment',
  'release.withdrawn': 'a build was taken back from an environment',
  'hold.set': 'an app or a build was held',
  'hold.lifted': 'a hold was lifted',
  'yank.set': 'a build was yanked: held and masked in every environment',
  'yank.lifted': 'a build is yanked no more',
  'pin.set': 'a build was pinned: no retention takes it away',
  'pin.lifted': 'a build is pinned no more',
  'retention.set': 'the rules of retention of the hub or of an app were set or taken away',
  'policy.set': 'the policy of an environment was set',
  'overlay.file_put': 'a hand-kept file of an overlay was put or changed',
  'overlay.file_removed': 'a hand-kept file of an overlay was taken away',
  'overlay.settings_published': 'what follows from the settings of the hub was published in an overlay',
  'overlay.signed_again': 'the newest files of an overlay were signed by another key',
  'token.created': 'a token was made',
  'token.revoked': 'a token was revoked',
  'token.exchanged': 'a CI brought its identity and got a token for it',
  'trust.added': 'an app began to trust an identity of a CI',
  'trust.removed': 'an app trusts an identity of a CI no more',
  'person.added': 'somebody got an account',
  'person.changed': "somebody's name, grants or state was changed",
  'person.link_made': 'a link was made by which somebody signs in once',
  'person.password_set': 'somebody set their password',
  'person.signed_in': 'somebody signed in',
  'person.signed_out': 'sessions of somebody were ended',
  'person.sign_in_failed': 'somebody failed to sign in, once or more since it was last told',
  'webhook.created': 'a webhook was made',
  'webhook.changed': 'a webhook was changed, enabled or disabled',
  'webhook.removed': 'a webhook was removed',
  'webhook.replayed': 'a delivery of a webhook was asked for again',
  'key.created': 'a signing key was made',
  'key.revoked': 'a signing key was revoked',
  'key.retired': 'a signing key that nothing needs any more was retired',
  'node.enrolled': 'a machine became a node',
  'node.changed': 'a node runs other packages than before, or they are other than wanted, or wanted again',
  'node.left': 'a node was taken out',
  'restore_point.announced': 'a node announced a restore point',
  'restore_point.completed': 'a restore point is complete and judged good',
  'restore_point.refused': 'a restore point was judged and refused',
  'restore_point.removed': 'a restore point was removed',
  'restore_point.kept': 'a restore point was kept from removal, or let go again',
  'restore_point.rehearsed': 'a node rehearsed a restore point',
  'rollback.requested': 'a rollback of a node was asked for',
  'rollback.ended': 'a rollback of a node ended',
  'environment_rollback.requested': 'a rollback of a whole environment was asked for',
} as const satisfies Readonly<Record<string, string>>

export type ChangeType = keyof typeof CHANGES

/** A change as the verb that makes it tells it. */
export interface Change {
  readonly type: ChangeType
  /** The id of what is changed: `shop/45`, `pro_…`, `staging`. */
  readonly subject: string
  readonly app?: string | null
  readonly build?: number | null
  readonly environment?: string | null
  readonly node?: string | null
  readonly reason?: string | null
  /** What it was, as far as it changes; no secret, nor the digest of one. */
  readonly before?: Readonly<Record<string, unknown>> | null
  readonly after?: Readonly<Record<string, unknown>> | null
}
