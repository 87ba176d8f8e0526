/** Every page, by its route, with the addresses at which it is looked at. */

/** What answers a GET and is no page of ours. */
export const NO_PAGES: readonly string[] = [
  ...['/healthz', '/readyz', '/ci.sh', '/enroll.sh', '/enroll.sh.asc', '/nodes/:node/etc/portage/*path'],
  ...['/keys/hub.asc', '/keys/binhost.asc', '/keys/statement.json'],
  // The page of the API is swagger-ui's.
  ...['/docs', '/docs/api-docs.css', '/docs/api-docs.js'],
  // It leads to the tree of a revision.
  '/environments/:environment/tree',
  // They lead to somebody else's pages, and back.
  ...['/sign-in/openid', '/sign-in/openid/callback'],
]

/** Parameters as `:name`, to be filled in by `addressOf`. Without addresses of its own a route is one. */
export const PAGES: Readonly<Record<string, readonly string[]>> = {
  '/': ['/'],
  '/account': ['/account'],
  '/apps': ['/apps', '/apps?q=none-has-this'],
  '/apps/:app': ['/apps/:app', '/apps/cart'],
  '/apps/:app/builds/:build': ['/apps/:app/builds/:build', '/apps/:app/builds/1', '/apps/:app/builds/2'],
  '/apps/:app/builds/:build/compare': ['/apps/:app/builds/:build/compare', '/apps/cart/builds/1/compare'],
  '/apps/:app/builds/:build/compare/:other': ['/apps/:app/builds/:build/compare/:other'],
  '/apps/:app/builds/:build/compare/:other/files/*path': [
    '/apps/:app/builds/:build/compare/:other/files/:inside',
  ],
  '/apps/:app/builds/:build/files': [
    ...['/apps/:app/builds/:build/files', '/apps/:app/builds/:build/files?in=shop/share'],
    '/apps/:app/builds/:build/files?q=none-has-this',
  ],
  '/apps/:app/builds/:build/files/*path': [
    ...['/apps/:app/builds/:build/files/:path', '/apps/:app/builds/:build/files/shop/share/mark.svg'],
    '/apps/:app/builds/:build/files/shop/run',
  ],
  '/audit': ['/audit', '/audit?actor=none', '/audit?app=shop&limit=2'],
  '/components': ['/components'],
  '/environments': ['/environments'],
  '/environments/:environment': ['/environments/:environment', '/environments/staging'],
  '/environments/:environment/revisions': ['/environments/:environment/revisions'],
  '/environments/:environment/revisions/:revision/tree': [
    '/environments/:environment/revisions/:revision/tree',
  ],
  '/environments/:environment/revisions/:revision/tree/*path': [
    '/environments/:environment/revisions/:revision/tree/profiles/repo_name',
    '/environments/:environment/revisions/:revision/tree/profiles',
  ],
  '/environments/:environment/revisions/:revision': ['/environments/:environment/revisions/:revision'],
  '/health': ['/health'],
  '/nodes': ['/nodes', '/nodes?drifted=true'],
  '/nodes/enrol': ['/nodes/enrol'],
  '/nodes/:node': ['/nodes/:node', '/nodes/idle', '/nodes/db1'],
  '/nodes/:node/rollback': ['/nodes/:node/rollback?app=:app&restorePoint=:point'],
  '/people': ['/people'],
  '/people/:person': ['/people/:person', '/people/ada'],
  '/promotions': ['/promotions?state=all', '/promotions?app=none'],
  '/promotions/:promotion': ['/promotions/:promotion'],
  '/search': ['/search?q=:app', '/search', '/search?q=none-has-this'],
  '/sign-in': ['/sign-in'],
  '/sign-in/:link': ['/sign-in/no-link-at-all'],
  '/sign-out': ['/sign-out'],
  '/storage': ['/storage', '/storage?what=stays'],
  '/tokens': ['/tokens', '/tokens?role=node&state=all', '/tokens?role=enrol'],
  '/webhooks': ['/webhooks'],
  '/webhooks/:webhook': ['/webhooks/:webhook', '/webhooks/:webhook?state=dead'],
  '/webhooks/:webhook/deliveries/:delivery': ['/webhooks/:webhook/deliveries/:delivery'],
  '/upload': ['/upload', '/upload?app=:app'],
}

export function addressOf(address: string, parameters: Readonly<Record<string, string>>): string {
  return address.replaceAll(/:([a-z]+)/gi, (_whole, name: string) => {
    const value = parameters[name]
    if (value === undefined) throw new Error(`the hub of these tests has no ${name}`)
    return value
  })
}
