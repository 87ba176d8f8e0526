// Runs a pipeline as Jenkins would, as far as ours need it: its steps are functions, and `sh` is a shell.
// usage: groovy jenkins-steps.groovy <portageHub.groovy> <portage-hub-ci> <Jenkinsfile>
def (step, program, pipelineFile) = args.collect { new File(it) }

def loader = new GroovyClassLoader(this.class.classLoader)
loader.parseClass('@interface Library { String[] value() }')
Map<String, String> environment = [:] + System.getenv()
def binding = new Binding()

/** @return the exit status and the output of a script, which sees the variables of the steps around it. */
def runScript = { String script ->
  def builder = new ProcessBuilder('/bin/sh', '-xe', '-c', script).redirectError(ProcessBuilder.Redirect.INHERIT)
  builder.environment().clear()
  builder.environment().putAll(environment)
  def process = builder.start()
  def output = process.inputStream.text
  [process.waitFor(), output]
}
/** @return what `body` gives while these variables are set. */
def withVariables = { Map more, Closure body ->
  def before = [:] + environment
  environment.putAll(more)
  try { body() } finally { environment.clear(); environment.putAll(before) }
}
/** `env` of a pipeline. */
class Variables {
  private final Map<String, String> all
  Variables(Map<String, String> all) { this.@all = all }
  Object getProperty(String name) { this.@all[name] }
  void setProperty(String name, Object value) { this.@all[name] = value.toString() }
}
def variables = new Variables(environment)

def steps = [
  _: null, any: 'any', env: variables,
  sh: { given ->
    def (status, output) = runScript(given instanceof Map ? given.script : given)
    if (given instanceof Map && given.returnStatus) return status
    if (status != 0) throw new RuntimeException("script returned exit code $status")
    given instanceof Map && given.returnStdout ? output : print(output)
  },
  withEnv: { List lines, Closure body ->
    withVariables(lines.collectEntries { it.toString().split('=', 2) as List }, body)
  },
  string: { Map given -> given },
  withCredentials: { List credentials, Closure body ->
    withVariables(credentials.collectEntries { [(it.variable): environment['CREDENTIAL_' + it.credentialsId.replace('-', '_')]] }, body)
  },
  pwd: { Map given -> new File('.jenkins-tmp').with { mkdirs(); absolutePath } },
  writeFile: { Map given -> new File(given.file).text = given.text },
  fileExists: { path -> new File(path.toString()).exists() },
  libraryResource: { String name -> assert name == program.name; program.text },
  unstable: { message -> println "UNSTABLE: $message" },
  error: { message -> throw new RuntimeException(message.toString()) },
  environment: { Closure body ->
    def hub = environment.HUB_URL
    body.delegate = variables
    body.resolveStrategy = Closure.DELEGATE_FIRST
    body()
    // It is the test's, whatever the file says.
    environment.HUB_URL = hub
  },
  agent: { given -> }, options: { Closure body -> body() }, triggers: { Closure body -> body() },
  disableConcurrentBuilds: { -> }, cron: { given -> }, GenericTrigger: { Map given -> },
  stage: { String name, Closure body -> body() }
]
for (name in ['pipeline', 'stages', 'steps', 'script']) steps[name] = { Closure body -> body() }
steps.each { name, value -> binding.setVariable(name, value) }

def shell = new GroovyShell(loader, binding)
binding.setVariable('portageHub', shell.parse(step))
shell.evaluate(pipelineFile)
