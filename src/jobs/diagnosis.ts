/** What one check of `portage-hub doctor` found. */
export interface Diagnosis {
  readonly check: string
  readonly state: 'ok' | 'warn' | 'fail'
  readonly detail: string
  /** null when it is ok. */
  readonly toDo: string | null
}

export function ok(check: string, detail: string): Diagnosis {
  return { check, state: 'ok', detail, toDo: null }
}

export function warn(check: string, detail: string, toDo: string): Diagnosis {
  return { check, state: 'warn', detail, toDo }
}

export function fail(check: string, detail: string, toDo: string): Diagnosis {
  return { check, state: 'fail', detail, toDo }
}
