import {mkdir, readdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {program} from '../support/needs.js'
import {runProgram, type Finished} from '../support/run.js'
import {buildSdist, buildWheel, writeBuilt} from '../support/wheels.js'

export interface Publication {
  /** A folder of this tool's own, where its project is. */
  readonly directory: string
  /** Where to upload to. */
  readonly url: string
  readonly username: string
  readonly password: string
}

/** A tool that publishes what is in a project's `dist`. */
export interface Publisher {
  readonly program: string
  /** Of the project, as the tool's own project file has it. */
  readonly project: string
  publish(publication: Publication): Promise<Finished>
  /** Makes the project, with other bytes for another summary. By default a wheel and an sdist in `dist`. */
  prepare?(directory: string, summary: string): Promise<void>
}

/** Version 1.0 of the publisher's project. */
export async function prepare({project, prepare: own}: Publisher, directory: string, summary: string) {
  await mkdir(directory, {recursive: true})
  if (own) return own(directory, summary)
  const release = {name: project, version: '1.0', summary, requiresPython: '>=3.8'}
  await writeBuilt(join(directory, 'dist'), buildWheel(release))
  await writeBuilt(join(directory, 'dist'), buildSdist(release))
  await writeFile(
    join(directory, 'pyproject.toml'),
    `[project]\nname = "${project}"\nversion = "1.0"\ndescription = "${summary}"\nrequires-python = ">=3.8"\n` +
      `authors = [{name = "a", email = "a@example.com"}]\n[tool.poetry]\npackages = []\n` +
      // of which poetry 1 knows nothing yet
      `name = "${project}"\nversion = "1.0"\ndescription = "${summary}"\nauthors = ["a <a@example.com>"]\n`,
  )
}

const filesOf = async (directory: string): Promise<string[]> =>
  (await readdir(join(directory, 'dist'))).map(name => join('dist', name))

const twine = (name: 'twine' | 'twine-5'): Publisher => ({
  program: name,
  project: `Acme.By_${name}`,
  publish: async ({directory, url, username, password}) =>
    runProgram(
      program(name),
      [
        ...['upload', '--non-interactive', '--disable-progress-bar', '--repository-url', url],
        ...['-u', username, '-p', password, ...(await filesOf(directory))],
      ],
      {cwd: directory},
    ),
})

const poetry = (name: 'poetry' | 'poetry-1'): Publisher => ({
  program: name,
  project: `acme-by-${name}`,
  publish: ({directory, url, username, password}) =>
    runProgram(program(name), ['publish', '--no-interaction', '-r', 'ours', '-u', username, '-p', password], {
      cwd: directory,
      env: {
        POETRY_CONFIG_DIR: join(directory, 'config'),
        POETRY_CACHE_DIR: join(directory, 'cache'),
        POETRY_REPOSITORIES_OURS_URL: url,
        POETRY_VIRTUALENVS_CREATE: 'false',
      },
    }),
})

export const publishers: readonly Publisher[] = [
  twine('twine'),
  twine('twine-5'),
  {
    program: 'uv',
    project: 'acme-by-uv',
    publish: async ({directory, url, username, password}) =>
      runProgram(
        program('uv'),
        [
          ...['publish', '--publish-url', url, '--username', username, '--password', password],
          ...['--trusted-publishing', 'never', ...(await filesOf(directory))],
        ],
        {cwd: directory, env: {UV_CACHE_DIR: join(directory, 'cache')}},
      ),
  },
  poetry('poetry'),
  poetry('poetry-1'),
  {
    program: 'hatch',
    project: 'acme-by-hatch',
    publish: async ({directory, url, username, password}) => {
      await writeFile(join(directory, 'hatch.toml'), '')
      return runProgram(
        program('hatch'),
        [
          ...['--no-interactive', 'publish', '--no-prompt', '-r', url, '-u', username, '-a', password],
          ...(await filesOf(directory)),
        ],
        {
          cwd: directory,
          env: {
            HATCH_CONFIG: join(directory, 'hatch.toml'),
            HATCH_DATA_DIR: join(directory, 'data'),
            HATCH_CACHE_DIR: join(directory, 'cache'),
          },
        },
      )
    },
  },
  {
    program: 'pdm',
    project: 'acme-by-pdm',
    publish: ({directory, url, username, password}) =>
      runProgram(program('pdm'), ['publish', '--no-build', '-r', url, '-u', username, '-P', password], {
        cwd: directory,
        env: {PDM_CHECK_UPDATE: 'false', PDM_USE_VENV: 'false', PDM_CACHE_DIR: join(directory, 'cache')},
      }),
  },
  {
    program: 'flit',
    project: 'acme_by_flit',
    // It builds what it publishes.
    prepare: async (directory, summary) => {
      await writeFile(
        join(directory, 'pyproject.toml'),
        '[build-system]\nrequires = ["flit_core"]\nbuild-backend = "flit_core.buildapi"\n' +
          '[project]\nname = "acme_by_flit"\nversion = "1.0"\ndynamic = ["description"]\n',
      )
      await writeFile(join(directory, 'acme_by_flit.py'), `"""${summary}"""\n`)
    },
    publish: ({directory, url, username, password}) =>
      runProgram(program('flit'), ['publish', '--no-use-vcs'], {
        cwd: directory,
        env: {
          FLIT_INDEX_URL: url,
          FLIT_USERNAME: username,
          FLIT_PASSWORD: password,
          SOURCE_DATE_EPOCH: '1577836800',
        },
      }),
  },
]
