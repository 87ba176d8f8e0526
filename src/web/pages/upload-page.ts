/** Uploading a build by a form: without a script in one request, with it in pieces that go on where they were cut. */
import { block, field, heading, section } from '../components.ts'
import { html } from '../html.ts'
import type { Html } from '../html.ts'
import { uploadCommand } from './words.ts'

/** What the form says, to begin with or again after a refusal. */
export interface UploadWords {
  readonly app: string
  readonly build: string
  readonly version: string
  readonly commit: string
  readonly branch: string
}

export interface UploadView {
  readonly words: UploadWords
  /** The number that the app's next build gets; null: no app is chosen, or it is none yet. */
  readonly next: number | null
  /** Names to choose from. Others may do as well: the first upload of an app makes it. */
  readonly apps: readonly string[]
  /** Empty for who has no forms. */
  readonly csrf: string
  readonly hubUrl: string
}

export function uploadPage(view: UploadView): Html {
  const { words, apps, csrf, hubUrl } = view
  // A link can put any text into the field, and this is there to be pasted into a shell.
  const app = apps.includes(words.app) ? words.app : 'shop'
  const command = block(uploadCommand(hubUrl, app), 'The same from a terminal, or a CI')
  return html`${heading('Upload a build', [['/apps', 'Apps']])}
  ${csrf === '' ? html`<p>Sign in to upload here.</p>` : uploadForm(view)}
  ${section('Without a browser', command)}`
}

/** The form; of one app alone where `isOfApp` says so. */
export function uploadForm({ words, next, apps, csrf }: UploadView, isOfApp = false): Html {
  return html`<form
    class="upload"
    method="post"
    action="/upload"
    enctype="multipart/form-data"
    data-upload
    data-csrf="${csrf}"
  >
    <input type="hidden" name="csrf" value="${csrf}" />
    <label class="drop"
      ><span><strong>Tarball</strong> <span data-drop-hint hidden>drop it here, or choose it:</span></span
      ><input type="file" name="tarball" required accept=".tar,.gz,.tgz,.bz2,.xz,.zst"
    /></label>
    <div class="fields">
      ${isOfApp ? html`<input type="hidden" name="app" value="${words.app}" />` : appField(words.app, apps)}
      ${field('Build number', {
        ...{ name: 'build', value: words.build || (next === null ? '' : String(next)), type: 'number' },
        help: next === null ? 'Empty: the next one.' : `The next free one is ${String(next)}.`,
      })}
      ${field('Version', { name: 'version', value: words.version, help: 'Semantic, such as 1.4.0-rc.2.' })}
      ${field('Commit', { name: 'commit', value: words.commit })}
      ${field('Branch', { name: 'branch', value: words.branch })}
    </div>
    <button type="submit" class="main">Upload</button>
    <div class="sending" data-sending hidden>
      <progress max="1" value="0" aria-label="Sent"></progress>
      <p class="rate" data-rate></p>
      <div class="buttons">
        <button type="button" class="plain" data-pause>Pause</button>
        <button type="button" class="plain" data-cancel>Cancel</button>
      </div>
    </div>
    <p class="told" role="status" data-told></p>
    <div role="alert" data-refused></div>
    <div class="archived" data-archived tabindex="-1"></div>
  </form>`
}

function appField(app: string, apps: readonly string[]): Html {
  return html`<label class="field"
    ><span>App</span
    ><input
      type="text"
      name="app"
      value="${app}"
      required
      list="upload-apps"
      autocomplete="off"
      autocapitalize="off"
      spellcheck="false"
    /><small>The first upload of a new name makes the app.</small
    ><datalist id="upload-apps">
      ${apps.map((name) => html`<option value="${name}"></option>`)}
    </datalist></label
  >`
}
