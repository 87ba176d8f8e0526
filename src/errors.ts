/**
 * Every refusal of the hub, in one table. A room throws `new HubError(code, detail, …)` and knows nothing of HTTP;
 * `http/error-handler.ts` turns the code into a status, `cli.ts` into an exit status. Anything thrown that is no
 * HubError is a fault: it answers 500 and its text stays in the log.
 */
export const ERRORS = {
  'request.invalid': { status: 400, title: 'The request is not of the documented form' },
  'request.truncated': { status: 400, title: 'The request ended before its declared end' },
  'request.unknown_route': { status: 404, title: 'There is nothing at this address' },
  'request.idempotency_mismatch': { status: 409, title: 'This Idempotency-Key was used for another request' },
  'request.too_large': { status: 413, title: 'The request is larger than the hub takes' },
  'request.range_not_satisfiable': { status: 416, title: 'The range asked for lies outside the file' },

  'auth.required': { status: 401, title: 'A token, or a person who is signed in, is needed' },
  'auth.invalid': { status: 401, title: 'This token is unknown, expired or revoked' },
  'auth.forbidden': { status: 403, title: 'You do not have the right' },
  'auth.csrf': { status: 403, title: 'The request does not come from a page of this hub' },
  'auth.sign_in_failed': { status: 403, title: 'Nobody was signed in' },
  'auth.link_invalid': { status: 403, title: 'This link opens nothing' },
  'auth.too_many': { status: 429, title: 'Too many attempts to sign in' },
  'person.unknown': { status: 404, title: 'No such person' },
  'person.identity_taken': { status: 409, title: 'This identity has an account already' },
  'person.name_taken': { status: 409, title: 'Somebody has this name already' },
  'person.disabled': { status: 409, title: 'This account is disabled' },
  'person.self': { status: 409, title: 'Nobody takes this from themselves' },
  'password.unfit': { status: 422, title: 'Not a password that the hub takes' },
  'password.wrong': { status: 403, title: 'This is not the password' },
  'session.unknown': { status: 404, title: 'No such session' },

  'app.unknown': { status: 404, title: 'No such app' },
  'app.invalid_name': { status: 422, title: 'Not a name for an app' },
  'app.category_fixed': { status: 422, title: 'The category of an app cannot change' },
  'app.name_taken': { status: 422, title: 'This package is kept by hand' },
  'build.unknown': { status: 404, title: 'No such build' },
  'build.invalid_number': { status: 422, title: 'Not a build number' },
  'build.duplicate': { status: 409, title: 'This build is archived already, with other content' },
  'version.invalid': { status: 422, title: 'Not a version that Portage can order' },
  'version.no_lossless_form': { status: 422, title: 'This version has no lossless Gentoo form' },

  'upload.missing_tarball': { status: 400, title: 'The upload has no tarball' },
  'upload.digest_mismatch': { status: 422, title: 'The bytes received are not the bytes declared' },
  'upload.too_large': { status: 413, title: 'The tarball is larger than the hub takes' },
  'upload.unknown': { status: 404, title: 'No such upload' },
  'upload.unsupported_version': { status: 412, title: 'The hub speaks another version of tus' },
  'upload.unsupported_type': { status: 415, title: 'Not the content type of a chunk' },
  'upload.offset_mismatch': { status: 409, title: 'The upload stands at another offset' },
  'upload.too_long': { status: 413, title: 'More bytes than the upload was declared to have' },
  'upload.checksum_mismatch': { status: 460, title: 'The chunk received is not the chunk declared' },
  'upload.busy': { status: 423, title: 'Another request writes to this upload' },
  'upload.incomplete': { status: 409, title: 'The upload does not have all of its bytes yet' },
  'upload.too_many': { status: 429, title: 'You have too many unfinished uploads' },
  'storage.full': { status: 507, title: 'There is no room for it' },
  'archive.unsupported_format': {
    status: 415,
    title: 'Not a tar archive, plain or compressed with gzip, bzip2, xz or zstd',
  },
  'archive.no_program': { status: 501, title: 'The hub lacks the program that unpacks this format' },
  'archive.corrupt': { status: 422, title: 'The archive cannot be read to its end' },
  'archive.empty': { status: 422, title: 'The archive has nothing in it' },
  'archive.unsafe_path': { status: 422, title: 'An entry would land outside its own folder' },
  'archive.unsafe_name': { status: 422, title: 'An entry has a name that cannot be installed' },
  'archive.unsafe_link': { status: 422, title: 'A link leaves the archive' },
  'archive.unsafe_type': { status: 422, title: 'An entry is neither file, folder nor link' },
  'archive.unsafe_mode': { status: 422, title: 'An entry is set-user-id or set-group-id' },
  'archive.duplicate_entry': { status: 422, title: 'Two entries have the same name' },
  'archive.too_many_entries': { status: 422, title: 'The archive has too many entries' },
  'archive.too_large_unpacked': { status: 422, title: 'The archive unpacks to too much' },
  'archive.ratio_too_high': { status: 422, title: 'The archive unpacks to suspiciously much for its size' },
  'archive.no_such_file': { status: 404, title: 'No such file in the tarball' },
  'archive.not_text': { status: 415, title: 'This file of the tarball is not text' },
  'archive.too_large_to_compare': {
    status: 422,
    title: 'This file is too large to be compared line by line',
  },

  'binpkg.invalid': { status: 422, title: 'Not a binary package that Portage would take' },
  'binpkg.digest_mismatch': { status: 422, title: 'The binary package is not what its Manifest says' },
  'binpkg.bad_signature': { status: 422, title: 'The binary package is not signed by the key it should be' },

  'recipe.invalid': { status: 422, title: 'The recipe does not hold' },
  'recipe.not_in_tarball': { status: 422, title: 'The recipe names a file that the tarball lacks' },
  'recipe.forbidden': { status: 403, title: 'You may not send commands' },
  'ebuild.unsafe': { status: 422, title: 'The rendered ebuild is not of the known form' },
  'ebuild.template_invalid': { status: 422, title: 'The ebuild template cannot be published' },

  'environment.unknown': { status: 404, title: 'No such environment' },
  'overlay.path_refused': { status: 422, title: 'This path of the overlay cannot be written by hand' },
  'overlay.no_such_path': { status: 404, title: 'No such path in the overlay' },
  'overlay.unknown_revision': { status: 404, title: 'No such revision' },
  'distfile.unknown': { status: 404, title: 'No such distfile in this environment' },
  'digest.unknown': { status: 404, title: 'No archived bytes have this digest' },

  'promotion.unknown': { status: 404, title: 'No such promotion' },
  'promotion.not_eligible': { status: 409, title: 'This build cannot be promoted there now' },
  'check.unknown': { status: 404, title: 'No such check' },
  'check.report_invalid': { status: 422, title: 'This report cannot be read' },
  'check.report_too_large': { status: 413, title: 'The reports are larger than the hub takes' },
  'promotion.ended': { status: 409, title: 'This promotion has come to its end' },
  'promotion.own_request': { status: 403, title: 'Nobody approves what they asked for' },
  'promotion.approval_forbidden': { status: 403, title: 'You may not approve this promotion' },
  'promotion.override_forbidden': { status: 403, title: 'You may not skip the waiting' },
  'policy.unmeetable': { status: 422, title: 'No build could ever meet this policy' },
  'policy.changed': { status: 409, title: 'The policy is another one by now' },
  'policy.unknown': { status: 404, title: 'No such version of the policy' },
  'release.unknown': { status: 404, title: 'No such release' },
  'release.already_withdrawn': { status: 409, title: 'This release is withdrawn already' },
  'hold.unknown': { status: 404, title: 'No such hold' },
  'hold.impossible': { status: 422, title: 'Not a hold that there can be' },
  'yank.exists': { status: 409, title: 'This build is yanked already' },
  'yank.unknown': { status: 404, title: 'This build is not yanked' },
  'pin.exists': { status: 409, title: 'This build is pinned already' },
  'pin.unknown': { status: 404, title: 'This build is not pinned' },
  'hold.lifted': { status: 409, title: 'This hold is lifted already' },
  'events.too_many': { status: 429, title: 'Too many clients follow the events' },
  'webhook.unknown': { status: 404, title: 'No such webhook' },
  'webhook.unknown_delivery': { status: 404, title: 'No such delivery of this webhook' },
  'webhook.forbidden_address': { status: 422, title: 'Webhooks may not go to this address' },
  'webhook.no_mail': { status: 422, title: 'This hub sends no e-mail' },
  'token.unknown': { status: 404, title: 'No such token' },
  'node.unknown': { status: 404, title: 'No such node' },
  'node.invalid_name': { status: 422, title: 'Not a name for a node' },
  'node.exists': { status: 409, title: 'This name belongs to a node already' },
  'node.left': { status: 409, title: 'This node has left' },
  'node.cloned': { status: 409, title: 'Another machine was enrolled as this node' },

  'key.unknown': { status: 404, title: 'The hub has no such key' },
  'key.waiting': { status: 409, title: 'A new key waits to sign already' },
  'key.in_use': { status: 409, title: 'This key signs, and no other is there to sign in its place' },

  'restore_point.unknown': { status: 404, title: 'No such restore point' },
  'restore_point.changed': { status: 409, title: 'This restore point was announced already, as another one' },
  'restore_point.unknown_file': { status: 404, title: 'The restore point has no such file' },
  'restore_point.incomplete': { status: 409, title: 'Files of the restore point are not here yet' },
  'restore_point.image_missing': { status: 409, title: 'The hub does not have the image of this package' },
  'restore_point.needed': { status: 409, title: 'This restore point is one to go back to' },
  'restore_point.ended': { status: 409, title: 'The restore point is complete or refused' },
  'binpkg.unknown': { status: 404, title: 'No such package in this binhost' },
  'binpkg.refused': { status: 422, title: 'This binary package is not one that the hub may give out' },
  'rollback.unknown': { status: 404, title: 'No such rollback' },
  'rollback.impossible': { status: 409, title: 'This node cannot go back there' },
  'rollback.open': { status: 409, title: 'A rollback of this app waits already' },
  'rollback.ended': { status: 409, title: 'This rollback has ended' },

  'openid.not_set_up': { status: 404, title: 'This hub has no OpenID provider' },
  'openid.refused': { status: 401, title: 'The OpenID provider did not sign you in' },
  'openid.not_invited': { status: 403, title: 'You may not come in' },
  'openid.unreachable': { status: 503, title: 'The OpenID provider does not answer' },
  'trust.unknown': { status: 404, title: 'The app trusts nobody by this id' },
  'trust.exists': { status: 409, title: 'The app trusts this identity already' },
  'trust.too_wide': { status: 422, title: 'This would trust strangers' },
  'trust.forbidden_issuer': { status: 422, title: 'The hub may not ask this issuer for its keys' },
  'identity.invalid': { status: 401, title: 'Not an identity token that the hub can believe' },
  'identity.expired': { status: 401, title: 'This identity token does not hold at this time' },
  'identity.wrong_audience': { status: 403, title: 'This identity token is for somebody else' },
  'identity.untrusted': { status: 403, title: 'The app does not trust this identity' },
  'identity.used': { status: 409, title: 'This identity token was used before' },
  'identity.issuer_unreachable': { status: 503, title: 'The keys of the issuer cannot be had' },

  'config.invalid': { status: 500, title: 'The settings do not hold' },
  'hub.running': { status: 500, title: 'Another hub works on this data folder' },
  'hub.unreachable': { status: 503, title: 'The hub does not answer' },
  'verify.failed': { status: 500, title: 'The archive or an overlay does not match the records' },
} as const satisfies Record<string, { status: number; title: string }>

/** A stable code of the table above; part of the API. */
export type ErrorCode = keyof typeof ERRORS

/** A refusal: what was refused and what to do next, in `message`; `extra` goes into the problem document as it is. */
export class HubError extends Error {
  override readonly name = 'HubError'
  readonly code: ErrorCode
  readonly extra: Readonly<Record<string, unknown>>

  constructor(
    code: ErrorCode,
    detail: string,
    extra: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(detail, options)
    this.code = code
    this.extra = extra
  }
}
