FROM node:{{ node_version }}-trixie-slim AS node_builder
ARG NPM_CONFIG_REGISTRY{{ '=https://registry.npmmirror.com' if china }}
ENV CI=true
RUN --mount=type=cache,target=/root/.npm \
    npm install --global pnpm@{{ pnpm_version }}
WORKDIR /app
COPY package.json pnpm-lock.yaml pnpm-workspace.yaml ./
RUN --mount=type=cache,target=/root/.local/share/pnpm/store \
    --mount=type=secret,id=npmrc,target=/root/.npmrc \
    pnpm install --frozen-lockfile

# The files that gulp reads: a change of Python code alone does not rebuild gulp_builder.
FROM node_builder AS pages
COPY src src
RUN find src -type f ! -path '*/templates/*' ! -path '*/static/*' ! -name forms.py -delete

FROM node_builder AS gulp_builder
COPY gulpfile.mjs ./
COPY static static
COPY frontend frontend
COPY --from=pages /app/src src
RUN pnpm exec gulp build
