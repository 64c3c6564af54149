import {createHash} from 'node:crypto'

/** Of all pages for people. Colours and fonts are those of the reader's system. */
export const style = `:root{color-scheme:light dark}
body{font:1rem/1.5 system-ui,sans-serif;max-width:46rem;margin:0 auto;padding:1rem}
header,header nav{display:flex;flex-wrap:wrap;gap:.5rem 1rem;align-items:baseline}
header{justify-content:space-between;border-bottom:1px solid #8886;padding-bottom:.5rem}
header form{display:inline}
h1{font-size:1.5rem}h2{font-size:1.2rem;margin-top:2rem}
pre{overflow-x:auto;padding:.75rem;background:#8882;border-radius:.4rem}
label{display:block;margin:.75rem 0}
input{font:inherit;padding:.4rem;width:100%;box-sizing:border-box}
button{font:inherit;padding:.4rem 1rem}
search form{display:flex;gap:.5rem}
ul.projects{columns:14rem;padding-left:1.2rem}
.problem{border-left:.3rem solid #c33;padding:.25rem .75rem}
main.narrow{max-width:24rem}
`

/** Its address changes with it, so that it can be kept for ever. */
export const styleName = `style-${createHash('sha256').update(style).digest('hex').slice(0, 16)}.css`
