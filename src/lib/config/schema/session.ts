import {bool, choice, optionalInt, optionalText, text} from '../fields.js'

/** How long a session lasts at most, in seconds (RULES 13). */
export const longestSession = 3600

/** Cookies of the web pages. pypicloud handed these to Beaker; the names are Beaker's (COMPAT §1.9). */
export const sessionFields = {
  encryptKey: optionalText('session.encrypt_key', {
    secret: true,
    help: 'Encrypts session cookies; any text. Without it they are only signed.',
  }),
  validateKey: optionalText('session.validate_key', {
    secret: true,
    help: 'Signs session cookies; any text. Logging in on the web pages needs it.',
  }),
  secure: bool('session.secure', {default: false, help: 'Cookies are sent over HTTPS only.'}),
  key: text('session.key', {default: 'beaker.session.id', help: 'Name of the cookie.'}),
  httponly: bool('session.httponly', {default: true, help: 'Hides the cookie from scripts.'}),
  samesite: choice('session.samesite', ['Lax', 'Strict', 'None'], {
    default: 'Lax',
    help: 'When browsers send the cookie along with requests from other sites.',
  }),
  timeout: {
    ...optionalInt('session.timeout', {
      min: 1,
      help: 'Seconds without a request after which a session ends. After an hour it ends in any case.',
    }),
    remark: (value: string) =>
      Number(value) > longestSession ? `more than ${longestSession} counts as ${longestSession}` : undefined,
  },
  cookieExpires: optionalText('session.cookie_expires', {
    help: 'True ends the cookie with the browser, false keeps it; a number is its life in seconds.',
  }),
  cookieDomain: optionalText('session.cookie_domain', {
    help: 'Domain of the cookie; the host that was asked by default.',
  }),
  cookiePath: text('session.cookie_path', {default: '/', help: 'Path of the cookie.'}),
  invalidateCorrupt: bool('session.invalidate_corrupt', {
    default: true,
    help: 'A damaged cookie starts a new session. Here it always does.',
  }),
  type: text('session.type', {default: 'cookie', help: 'Where sessions live: always in the cookie here.'}),
  cryptoType: optionalText('session.crypto_type', {
    help: "Beaker's encryption library; without effect here.",
  }),
  dataSerializer: optionalText('session.data_serializer', {
    help: "Beaker's format of cookies; without effect here, where nothing is pickled.",
  }),
} as const
