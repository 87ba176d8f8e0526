/* global matchMedia, SwaggerUIBundle */
/** Shows the description of the API. Served as it is, for browsers. */

const dark = matchMedia('(prefers-color-scheme: dark)')
const follow = () => {
  document.documentElement.classList.toggle('dark-mode', dark.matches)
}
dark.addEventListener('change', follow)
follow()

SwaggerUIBundle({
  url: '/api/v1/openapi.json',
  dom_id: '#docs',
  deepLinking: true,
  docExpansion: 'none',
  defaultModelsExpandDepth: 0,
  defaultModelRendering: 'model',
  filter: true,
  // Else the address of the description is told to a service elsewhere.
  validatorUrl: null,
})
