/**
 * To be called before the first client of the AWS SDK is made, which else warns of the end of Node 20: that is no news to those
 * who chose it, and the lock file keeps a release that runs there.
 */
export function sayNothingOfNodeVersion(): void {
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true'
}
