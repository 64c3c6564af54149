/**
 * Names that others have given may hold what a terminal obeys, shows elsewhere or takes for the next line: that is written
 * as in JSON.
 */
export const oneLine = (text: string): string =>
  text.replaceAll(
    /[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g,
    character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
