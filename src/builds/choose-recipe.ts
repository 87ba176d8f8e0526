/** Whose recipe a build gets: the upload's, the tarball's, the app's, or the default one. */
import { HubError } from '../errors.ts'
import type { AppRow } from '../records/apps.ts'
import type { ArchiveContents } from './archive-contents.ts'
import { checkRecipeAgainst, parseRecipe, recipeFromJson, recipeHasCommands } from './recipe.ts'
import type { Recipe } from './recipe.ts'
import type { Upload } from './receive-build.ts'

export interface ChosenRecipe {
  readonly recipe: Recipe
  /** `template`: a complete ebuild was sent instead; the recipe is then empty. */
  readonly source: 'upload' | 'tarball' | 'app' | 'default' | 'template'
}

/**
 * Chooses and checks the recipe.
 * What the app's own recipe has was put there by an administrator; what the upload brings is its sender's.
 * @throws {HubError} `recipe.forbidden` for commands, or an ebuild, of somebody who may not send them; `recipe.invalid`; `recipe.not_in_tarball`; `request.invalid` when recipe and ebuild are both sent.
 */
export function chooseRecipe(
  upload: Pick<Upload, 'recipeText' | 'ebuildTemplate' | 'maySendCommands'>,
  contents: ArchiveContents,
  app: AppRow | undefined,
): ChosenRecipe {
  if (upload.ebuildTemplate !== null) {
    if (!upload.maySendCommands) throw forbidden('an ebuild of its own')
    if (upload.recipeText === null) return { recipe: parseRecipe('{}'), source: 'template' }
    throw new HubError('request.invalid', 'send either "recipe" or "ebuild.template", not both')
  }
  const chosen = firstRecipe(upload, contents, app)
  const isSent = chosen.source === 'upload' || chosen.source === 'tarball'
  if (isSent && !upload.maySendCommands && recipeHasCommands(chosen.recipe))
    throw forbidden('a recipe with commands')
  checkRecipeAgainst(chosen.recipe, contents)
  return chosen
}

function firstRecipe(
  upload: Pick<Upload, 'recipeText'>,
  contents: ArchiveContents,
  app: AppRow | undefined,
): ChosenRecipe {
  if (upload.recipeText !== null) return { recipe: parseRecipe(upload.recipeText), source: 'upload' }
  if (contents.recipeText !== null) return { recipe: parseRecipe(contents.recipeText), source: 'tarball' }
  const ofApp = app?.defaultRecipe ?? null
  if (ofApp !== null) return { recipe: recipeFromJson(ofApp), source: 'app' }
  return { recipe: parseRecipe('{}'), source: 'default' }
}

function forbidden(what: string): HubError {
  return new HubError(
    'recipe.forbidden',
    `this token may not send ${what}: nodes run it as root; leave it out, or ask an administrator for a token with "commands"`,
  )
}
