/*
 * The form that uploads, by tus-js-client: the tarball goes in pieces that are taken up where they were cut, also after the
 * page was loaded again; then the build is asked for with the id of the upload. Without this the form is sent as it is.
 */
'use strict'

const PIECE_BYTES = 32 * 1024 * 1024
/** How often it comes again by itself when the connection is lost: for some minutes. */
const RETRY_MS = [0, 1000, 3000, 5000, 10_000, 20_000, 30_000, 60_000, 60_000]
const STORAGE = tus.defaultOptions.urlStorage

function sizeText(bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let at = 0
  for (; bytes >= 1023.95 && at < units.length - 1; at++) bytes /= 1024
  return `${at === 0 ? bytes : bytes.toFixed(1)} ${units[at]}`
}

function durationText(seconds) {
  const whole = Math.max(1, Math.round(seconds))
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`
}

/** How fast it is now: over the last few seconds, of what the connection took. */
function pace() {
  const seen = []
  return (sent) => {
    seen.push([performance.now(), sent])
    while (seen.length > 2 && seen[0][0] < performance.now() - 5000) seen.shift()
    const [[from, before], [to, now]] = [seen[0], seen.at(-1)]
    return to - from < 500 || now < before ? null : ((now - before) / (to - from)) * 1000
  }
}

/** A refusal of the hub: its words with its code. */
function wordsOfProblem(text, status) {
  try {
    const { detail, code } = JSON.parse(text)
    return { detail, code }
  } catch {
    return { detail: `the hub answered ${status}`, code: '' }
  }
}

class UploadForm {
  #form
  /** What is being sent, or was paused. */
  #upload = null
  #isSending = false
  /** The connection was lost. */
  #isCut = false
  /** Of an upload that is there to its end, while no build was made of it. */
  #url = null

  constructor(form) {
    this.#form = form
    this.#part('[data-drop-hint]').hidden = false
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      if (!this.#isSending) void this.#begin()
    })
    this.#part('[data-pause]').addEventListener('click', () => this.#pauseOrGoOn())
    this.#part('[data-cancel]').addEventListener('click', () => void this.#cancel())
    this.#file.addEventListener('change', () => void this.#chosen())
    this.#field('app').addEventListener('change', () => void this.#suggestNumber())
    addEventListener('online', () => {
      if (this.#upload && !this.#isSending && this.#isCut) this.#goOn('It goes on.')
    })
    addEventListener('beforeunload', (event) => {
      if (this.#isSending) event.preventDefault()
    })
    this.#takeDrops(this.#part('.drop'))
    void this.#tellOfUnfinished()
  }

  #part(selector) {
    return this.#form.querySelector(selector)
  }

  #field(name) {
    return this.#form.elements.namedItem(name)
  }

  get #file() {
    return this.#field('tarball')
  }

  get #headers() {
    return { 'X-CSRF-Token': this.#form.dataset.csrf }
  }

  #tell(text) {
    this.#part('[data-told]').textContent = text
  }

  /** @param {{ detail: string, code: string } | null} problem */
  #refuse(problem) {
    const place = this.#part('[data-refused]')
    place.replaceChildren()
    if (!problem) return
    const notice = document.createElement('div')
    notice.className = 'notice refused'
    const words = document.createElement('p')
    words.textContent = `${problem.detail} `
    if (problem.code) {
      const code = document.createElement('code')
      code.textContent = problem.code
      words.append(code)
    }
    notice.append(words)
    place.append(notice)
  }

  #takeDrops(zone) {
    const over = (isOver) => zone.classList.toggle('over', isOver)
    zone.addEventListener('dragover', (event) => {
      if (!event.dataTransfer.types.includes('Files')) return
      event.preventDefault()
      over(true)
    })
    zone.addEventListener('dragleave', () => over(false))
    zone.addEventListener('drop', (event) => {
      event.preventDefault()
      over(false)
      if (this.#isSending || event.dataTransfer.files.length === 0) return
      const one = new DataTransfer()
      one.items.add(event.dataTransfer.files[0])
      this.#file.files = one.files
      this.#file.dispatchEvent(new Event('change', { bubbles: true }))
    })
    // A file that misses the zone must not take the place of the page.
    for (const type of ['dragover', 'drop'])
      document.addEventListener(type, (event) => event.preventDefault())
  }

  /** The number of the app's next build, unless somebody typed one. */
  async #suggestNumber() {
    const [app, build] = [this.#field('app').value, this.#field('build')]
    if (build.value !== '' && build.value !== build.dataset.suggested && build.value !== build.defaultValue)
      return
    const reply = await fetch(`/api/v1/apps/${encodeURIComponent(app)}`)
    build.value = reply.ok ? String((await reply.json()).lastBuild + 1) : ''
    build.dataset.suggested = build.value
  }

  async #tellOfUnfinished() {
    const all = await STORAGE.findAllUploads()
    const [newest] = all.sort((a, b) => Date.parse(b.creationTime) - Date.parse(a.creationTime))
    if (newest?.metadata?.filename)
      this.#tell(
        `${newest.metadata.filename} was not sent to its end: choose it again to go on where it was.`,
      )
  }

  /** What was said of the same file before stands in the fields again. */
  async #chosen() {
    this.#refuse(null)
    const file = this.#file.files[0]
    this.#url = null
    if (!file) return
    const [before] = await this.#uploadOf(file).findPreviousUploads()
    for (const name of ['app', 'build', 'version', 'commit', 'branch']) {
      const field = this.#field(name)
      if (before?.metadata[name] && (field.value === '' || field.value === field.defaultValue))
        field.value = before.metadata[name]
    }
    this.#tell(
      before
        ? `${file.name} goes on where it was when you press Upload.`
        : `${file.name}, ${sizeText(file.size)}`,
    )
  }

  #said() {
    const fields = ['app', 'build', 'version', 'commit', 'branch'].map((name) => [
      name,
      this.#field(name).value.trim(),
    ])
    return Object.fromEntries(fields.filter(([, value]) => value !== ''))
  }

  #uploadOf(file) {
    const rate = pace()
    return new tus.Upload(file, {
      endpoint: '/api/v1/uploads',
      chunkSize: PIECE_BYTES,
      retryDelays: RETRY_MS,
      headers: this.#headers,
      metadata: { filename: file.name, ...this.#said() },
      onProgress: (sent, all) => this.#shows(sent, all, rate(sent)),
      onError: (error) => this.#failed(error),
      onSuccess: () => {
        this.#url = this.#upload.url
        void this.#archive()
      },
    })
  }

  async #begin() {
    const file = this.#file.files[0]
    this.#refuse(null)
    this.#part('[data-archived]').replaceChildren()
    // All of it is there, and only what was said of it was refused.
    if (this.#url) return this.#archive()
    this.#upload = this.#uploadOf(file)
    const [before] = await this.#upload.findPreviousUploads()
    if (before) this.#upload.resumeFromPreviousUpload(before)
    this.#part('[data-sending]').hidden = false
    this.#goOn(before ? `${file.name} goes on where it was.` : `${file.name} is being sent.`)
  }

  #goOn(told) {
    this.#refuse(null)
    this.#tell(told)
    this.#setSending(true)
    this.#upload.start()
  }

  #setSending(isSending) {
    this.#isSending = isSending
    this.#isCut = false
    this.#part('button[type=submit]').disabled = isSending
    this.#part('[data-pause]').textContent = isSending ? 'Pause' : 'Resume'
  }

  #pauseOrGoOn() {
    if (!this.#upload) return
    if (this.#isSending) {
      void this.#upload.abort()
      this.#setSending(false)
      this.#tell('Paused. What was sent stays with the hub for a day.')
    } else {
      this.#goOn('It goes on.')
    }
  }

  async #cancel() {
    await this.#end()
    this.#tell('Cancelled: nothing is left of it.')
  }

  #over() {
    this.#setSending(false)
    this.#upload = null
    this.#url = null
    this.#part('[data-sending]').hidden = true
  }

  async #forget(file) {
    for (const { urlStorageKey } of await this.#uploadOf(file).findPreviousUploads())
      await STORAGE.removeUpload(urlStorageKey)
  }

  #shows(sent, all, rate) {
    const share = all === 0 ? 1 : sent / all
    const bar = this.#part('progress')
    bar.value = share
    const left = rate ? `, ${sizeText(rate)}/s, ${durationText((all - sent) / rate)} left` : ''
    this.#part('[data-rate]').textContent =
      `${Math.floor(share * 100)} %: ${sizeText(sent)} of ${sizeText(all)}${sent === all ? '' : left}`
  }

  #failed(error) {
    const reply = error.originalResponse
    this.#setSending(false)
    if (!reply) {
      this.#isCut = true
      this.#tell('')
      this.#refuse({
        detail: 'The hub cannot be reached. Nothing is lost: press Resume when it is there again.',
        code: '',
      })
      return
    }
    this.#tell('')
    this.#refuse(this.#problemOf(reply.getBody(), reply.getStatus()))
  }

  #problemOf(body, status) {
    const problem = wordsOfProblem(body, status)
    if (status === 401)
      problem.detail += '. Sign in in another tab, load this page again and choose the file: it goes on.'
    return problem
  }

  async #archive() {
    const file = this.#file.files[0]
    const { app, ...fields } = this.#said()
    this.#setSending(true)
    this.#part('[data-sending]').hidden = true
    this.#tell('All of it was sent. The hub looks into it …')
    const form = new URLSearchParams({ ...fields, upload: this.#url })
    const address = `/api/v1/apps/${encodeURIComponent(app)}/builds`
    try {
      const reply = await fetch(address, { method: 'POST', headers: this.#headers, body: form })
      const text = await reply.text()
      this.#setSending(false)
      this.#tell('')
      if (!reply.ok) return await this.#notArchived(this.#problemOf(text, reply.status))
      await this.#forget(file)
      this.#over()
      this.#done(JSON.parse(text))
    } catch {
      this.#setSending(false)
      this.#tell('')
      this.#refuse({
        detail: 'The hub cannot be reached. All of it was sent: press Upload to go on.',
        code: '',
      })
    }
  }

  /** Bytes that are no archive become none by other words: another file is wanted. */
  async #notArchived(problem) {
    if (problem.code.startsWith('archive.')) await this.#end()
    this.#refuse(problem)
  }

  /** Nothing is left of it, here or with the hub. */
  async #end() {
    const file = this.#file.files[0]
    await this.#upload?.abort(true).catch(() => undefined)
    if (file) await this.#forget(file)
    this.#over()
  }

  #done({ app, build, cpv, tarball, warnings = [] }) {
    const place = this.#part('[data-archived]')
    const head = document.createElement('p')
    const link = document.createElement('a')
    link.href = `/apps/${encodeURIComponent(app)}/builds/${build}`
    link.textContent = `${app} build ${build}`
    head.append('Archived: ', link, ` is ${cpv}.`)
    const digest = document.createElement('p')
    digest.className = 'digits'
    digest.textContent = `SHA-512 ${tarball.sha512}`
    const more = warnings.map(({ detail }) =>
      Object.assign(document.createElement('p'), { textContent: detail }),
    )
    place.replaceChildren(head, digest, ...more)
    place.focus()
    this.#form.reset()
    this.#field('build').value = String(build + 1)
    this.#field('app').value = app
  }
}

document.addEventListener('DOMContentLoaded', () => {
  for (const form of document.querySelectorAll('form[data-upload]')) new UploadForm(form)
})
