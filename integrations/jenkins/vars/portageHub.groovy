/**
 * Steps for a Portage Hub, of a shared library whose resources/ has the program portage-hub-ci; docs/ci/jenkins.md describes
 * them. All take `app`, and `url` and `credentials` (the id of a secret text, `portage-hub` unless given); HUB_URL of the job
 * stands for `url`.
 *
 * Values reach the shell as variables, never as a part of its text: the scripts stand in single quotes.
 */

/** Archives `tarball` as build number `build` (the next one if it is left out), as `version`. Gives the number. */
String upload(Map args) {
  return withHub(args, [TARBALL: args.tarball, NUMBER: args.build, VERSION: args.version]) {
    sh(label: 'Upload to the Portage Hub', returnStdout: true, script: '''
      sh "$PORTAGE_HUB_CI" upload "$APP" "$TARBALL" --build "$NUMBER" --version "$VERSION"
    ''').trim()
  }
}

/** Reports the check `name` of `build` in `stage` (`commit` unless given): by `junit`, `sarif` or `cobertura`, or `status`. */
void check(Map args) {
  withHub(args, [
    BUILD: args.build, STAGE: args.stage ?: 'commit', CHECK: args.name, STATUS: args.status,
    JUNIT: args.junit, SARIF: args.sarif, COBERTURA: args.cobertura
  ]) {
    sh(label: "Report the check ${args.name}", script: '''
      sh "$PORTAGE_HUB_CI" check "$APP" "$BUILD" "$STAGE" "$CHECK" --status "$STATUS" \\
        --junit "$JUNIT" --sarif "$SARIF" --cobertura "$COBERTURA"
    ''')
  }
}

/** Runs steps as the check `name` of `build`: reported as running, and by how they end, with the reports that they left. */
void check(Map args, Closure steps) {
  check(told(args, 'running'))
  try {
    steps()
  } catch (cause) {
    check(told(args, 'failed'))
    throw cause
  }
  check(told(args, 'passed'))
}

/** What `check` is told of a run: a report counts once it is there and the run has ended. */
private Map told(Map args, String status) {
  Map all = args + [status: status]
  for (String format in ['junit', 'sarif', 'cobertura']) {
    if (status == 'running' || !args[format] || !fileExists(args[format])) all.remove(format)
  }
  return all
}

/**
 * Runs the shell command `command` for each promotion to `environment` (any, if it is left out) that waits for the acceptance
 * check `name`: of `build`, or of every build. It has HUB_APP, HUB_BUILD, HUB_ENVIRONMENT and HUB_PROMOTION, and may leave
 * test results in `junit`.
 */
void acceptance(Map args) {
  withHub(args, [
    BUILD: args.build, CHECK: args.name, ENVIRONMENT: args.environment, COMMAND: args.command, JUNIT: args.junit
  ]) {
    sh(label: "Acceptance check ${args.name}", script: '''
      sh "$PORTAGE_HUB_CI" acceptance "$CHECK" --app "$APP" --build "$BUILD" --environment "$ENVIRONMENT" \\
        --junit "$JUNIT" -- sh -euc "$COMMAND"
    ''')
  }
}

/** Asks for `build` in `environment`. Takes a token that may promote there. */
void promote(Map args) {
  withHub(args, [BUILD: args.build, ENVIRONMENT: args.environment]) {
    sh(label: "Promote to ${args.environment}", script: '''
      sh "$PORTAGE_HUB_CI" promote "$APP" "$BUILD" "$ENVIRONMENT"
    ''')
  }
}

/** Waits up to `timeout` seconds (3600) for `build` in `environment`; the run is unstable if it waits still. */
void waitFor(Map args) {
  int status = withHub(args, [BUILD: args.build, ENVIRONMENT: args.environment, TIMEOUT: args.timeout == null ? 3600 : args.timeout]) {
    sh(label: "Wait for ${args.environment}", returnStatus: true, script: '''
      sh "$PORTAGE_HUB_CI" wait "$APP" "$BUILD" "$ENVIRONMENT" --timeout "$TIMEOUT"
    ''')
  }
  if (status == 8) unstable("${args.app} build ${args.build} waits for ${args.environment} still")
  else if (status != 0) error("${args.app} build ${args.build} is not released in ${args.environment}")
}

private Object withHub(Map args, Map values, Closure steps) {
  String program = "${pwd(tmp: true)}/portage-hub-ci"
  writeFile(file: program, text: libraryResource('portage-hub-ci'))
  Map all = values + [APP: args.app, PORTAGE_HUB_CI: program, HUB_URL: args.url ?: env.HUB_URL]
  List variables = []
  for (variable in all) variables.add("${variable.key}=${variable.value == null ? '' : variable.value}")
  return withEnv(variables) {
    withCredentials([string(credentialsId: args.credentials ?: 'portage-hub', variable: 'HUB_TOKEN')]) {
      steps()
    }
  }
}
