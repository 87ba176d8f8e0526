import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { claimPattern, matchesClaim } from '../../src/access/claim-pattern.ts'
import { factsOf, jobName } from '../../src/access/ci-facts.ts'
import { trustOf, trustShape } from '../../src/access/trust-shape.ts'
import { GITHUB_JOB, GITLAB_JOB, jenkinsJob } from '../support/identity-provider.ts'

describe('a pattern', () => {
  test.each([
    ['refs/heads/main', 'refs/heads/main'],
    ['refs/tags/v*', 'refs/tags/v1.4.0'],
    ['refs/tags/v*', 'refs/tags/v'],
    ['refs/*/main', 'refs/heads/main'],
    ['release-*-final', 'release-1-final'],
    ['https://ci.example/job/shop/job/*/', 'https://ci.example/job/shop/job/feature%252Fx/'],
  ])('%s fits %s', (pattern, value) => {
    expect(matchesClaim(pattern, value)).toBe(true)
  })

  test.each([
    ['refs/heads/main', 'refs/heads/main2'],
    ['refs/heads/main', 'refs/heads/Main'],
    ['refs/heads/main', 'xrefs/heads/main'],
    ['acme.shop', 'acmeXshop'],
    ['refs/tags/v*', 'refs/tags/v1/evil'],
    ['refs/tags/v*', 'refs/heads/v1'],
    ['repo:acme/shop:*', 'repo:acme/shop:ref:refs'],
    ['repo:acme/*', 'repo:acme/shop:environment'],
    ['ab*ba', 'aba'],
    ['a/b', 'a:b'],
    ['*', 'a/b'],
    ['*', 'a:b'],
    ['shop', 'shop\n'],
  ])('%s does not fit %j', (pattern, value) => {
    expect(matchesClaim(pattern, value)).toBe(false)
  })

  test('without a * fits itself alone, and with one never more segments than it has', () => {
    const text = fc.stringMatching(/^[a-z*/:.]{1,12}$/)
    fc.assert(
      fc.property(text, text, (pattern, value) => {
        fc.pre(claimPattern.safeParse(pattern).success)
        if (!pattern.includes('*')) expect(matchesClaim(pattern, value)).toBe(pattern === value)
        else if (matchesClaim(pattern, value))
          expect(value.split(/[/:]/)).toHaveLength(pattern.split(/[/:]/).length)
      }),
    )
  })

  test.each(['', 'a**', 'refs/*x*', 'a\nb', 'a\u202eb', 'x'.repeat(256)])('is not %j', (pattern) => {
    expect(claimPattern.safeParse(pattern).success).toBe(false)
  })
})

const shaped = (body: object) => trustOf(trustShape.parse(body))

describe('a trust', () => {
  test('in a GitHub repository names its file, not what that calls itself', () => {
    const trust = shaped({
      ...{ provider: 'github', repository: 'acme/shop', workflow: 'release.yml' },
      ...{ environment: 'release', ref: 'refs/tags/v*' },
    })
    expect(trust).toEqual({
      provider: 'github',
      issuer: 'https://token.actions.githubusercontent.com',
      claims: {
        ...{ repository: 'acme/shop', workflow: 'release.yml' },
        ...{ environment: 'release', ref: 'refs/tags/v*' },
      },
    })
    expect(factsOf('github', GITHUB_JOB)['workflow']).toBe('release.yml')
    const elsewhere = 'acme/other/.github/workflows/release.yml@refs/heads/main'
    expect(factsOf('github', { ...GITHUB_JOB, workflow_ref: elsewhere })['workflow']).toBeUndefined()
    expect(
      factsOf('github', { repository: 'acme/shop', workflow: 'release.yml' })['workflow'],
    ).toBeUndefined()
  })

  test('in a GitLab project may ask for protected branches', () => {
    expect(shaped({ provider: 'gitlab', project: 'acme/web/shop', protected: true })).toEqual({
      provider: 'gitlab',
      issuer: 'https://gitlab.com',
      claims: { project_path: 'acme/web/shop', ref_protected: 'true' },
    })
  })

  test('in a Jenkins names the job by its URL', () => {
    const url = 'https://ci.acme.example/jenkins/'
    expect(shaped({ provider: 'jenkins', url, job: 'my team/shop/*' })).toEqual({
      provider: 'jenkins',
      issuer: 'https://ci.acme.example/jenkins/oidc',
      claims: { sub: 'https://ci.acme.example/jenkins/job/my%20team/job/shop/job/*/' },
    })
  })

  test('elsewhere names the subject', () => {
    const claims = { sub: 'organization:acme:pipeline:shop', step_key: 'upload-*' }
    const trust = { provider: 'other', issuer: 'https://agent.buildkite.com', claims }
    expect(shaped(trust)).toEqual(trust)
  })

  test.each([
    { provider: 'github' },
    { provider: 'github', repository: '*' },
    { provider: 'github', repository: '*/shop' },
    { provider: 'github', repository: 'acme/*' },
    { provider: 'github', repository: 'acme' },
    { provider: 'github', repository: 'acme/shop/more' },
    { provider: 'github', repository: 'acme/shop', workflow: '../release.yml' },
    { provider: 'github', repository: 'acme/shop', workflow: '*.yml' },
    { provider: 'github', repository: 'acme/shop', ref: 'main' },
    { provider: 'github', repository: 'acme/shop', branch: 'main' },
    { provider: 'github', repository: 'acme/shop', issuer: 'ftp://github.example' },
    { provider: 'github', repository: 'acme/shop', issuer: 'https://a:b@github.example' },
    { provider: 'github', repository: 'acme/shop', issuer: 'https://github.example/?x=y' },
    { provider: 'gitlab', project: 'acme' },
    { provider: 'gitlab', project: 'acme/*' },
    { provider: 'gitlab', project: '*/*' },
    { provider: 'jenkins', url: 'https://ci.example', job: '*' },
    { provider: 'jenkins', url: 'https://ci.example', job: '*/shop' },
    { provider: 'jenkins', url: 'https://ci.example', job: '/shop' },
    { provider: 'jenkins', job: 'shop' },
    { provider: 'other', issuer: 'https://ci.example', claims: { sub: 'a', aud: 'b' } },
    { provider: 'other', issuer: 'https://ci.example', claims: { sub: 'a', 'b c': 'd' } },
    { provider: 'other', issuer: 'https://ci.example', claims: { sub: 7 } },
    { provider: 'none', issuer: 'https://ci.example' },
  ])('is not %j', (body) => {
    expect(trustShape.safeParse(body).success).toBe(false)
  })

  test.each([
    ['https://ci.example', {}],
    ['https://ci.example', { repository: 'acme/shop' }],
    ['https://ci.example', { sub: 'repo:acme/*' }],
    ['https://token.actions.githubusercontent.com', { sub: 'environment:production' }],
    ['https://token.actions.githubusercontent.com/acme', { sub: 'environment:production' }],
    ['https://gitlab.com', { sub: 'project_path:acme/shop:ref_type:branch:ref:main' }],
  ])('of whoever has an account at %s is refused: %j', (issuer, claims) => {
    expect(() => shaped({ provider: 'other', issuer, claims })).toThrow(
      expect.objectContaining({ code: 'trust.too_wide' }),
    )
  })
})

test.each([
  ['github', GITHUB_JOB, 'GitHub acme/shop run 812.2'],
  ['gitlab', GITLAB_JOB, 'GitLab acme/web/shop job 302'],
  ['jenkins', jenkinsJob('https://ci.example'), 'Jenkins team/shop build 45'],
  ['jenkins', jenkinsJob('https://ci.example', 'shop/a%2Fb'), 'Jenkins shop/a_252Fb build 45'],
  ['other', { sub: 'pipeline:shop\n"x"' }, 'CI pipeline:shop__x_'],
  ['github', { ...GITHUB_JOB, repository: `acme/${'x'.repeat(90)}` }, `GitHub ${'x'.repeat(47)} run 812.2`],
] as const)('the token of a %s job tells which it is', (provider, claims, name) => {
  expect(jobName(provider, factsOf(provider, claims))).toBe(name)
  expect(name.length).toBeLessThanOrEqual(64)
})
