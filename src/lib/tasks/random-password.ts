import {randomInt} from 'node:crypto'

/** Letters and digits that nobody mistakes for others, and that need no quotes in a shell or a URL. */
const alphabet = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789'

/** 20 characters, about 115 bits. */
export const randomPassword = (): string =>
  Array.from({length: 20}, () => alphabet.charAt(randomInt(alphabet.length))).join('')
