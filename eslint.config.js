import prettier from 'eslint-config-prettier'
import tseslint from 'typescript-eslint'

// Imports go one way: commands and server → tasks and index → backends → packaging (ARCHITECTURE.md).
const layer = (files, forbidden) => ({
  files,
  rules: {'no-restricted-imports': ['error', {patterns: forbidden.map(group => ({group: [group]}))}]},
})

export default tseslint.config(
  {ignores: ['dist/', '.build/', '.cache/', 'node_modules/', 'test/fixtures/pypicloud/']},
  ...tseslint.configs.strictTypeChecked.map(config => ({...config, files: ['**/*.ts']})),
  {
    files: ['**/*.ts'],
    languageOptions: {parserOptions: {projectService: true, tsconfigRootDir: import.meta.dirname}},
    rules: {
      '@typescript-eslint/return-await': ['error', 'in-try-catch'],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', {allowNumber: true, allowBoolean: true}],
      '@typescript-eslint/no-confusing-void-expression': ['error', {ignoreArrowShorthand: true}],
      '@typescript-eslint/no-unnecessary-condition': ['error', {allowConstantLoopConditions: true}],
      '@typescript-eslint/consistent-type-definitions': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-floating-promises': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
  layer(
    ['src/lib/packaging/**'],
    [
      '**/storage/**',
      '**/cache/**',
      '**/access/**',
      '**/index/**',
      '**/server/**',
      '**/tasks/**',
      '**/terminal/**',
      '**/config/**',
      'node:fs*',
    ],
  ),
  layer(
    ['src/lib/{storage,cache,access}/**'],
    ['**/index/**', '**/server/**', '**/tasks/**', '**/terminal/**', '**/commands/**', '@oclif/*', 'fastify'],
  ),
  layer(
    ['src/lib/{index,tasks,lambda}/**'],
    ['**/server/**', '**/terminal/**', '**/commands/**', '@oclif/*', 'fastify'],
  ),
  layer(['src/lib/server/**'], ['**/terminal/**', '**/commands/**', '@oclif/*']),
  prettier,
)
