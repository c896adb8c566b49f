# Installs what this machine lacks to build Lorgnette, then hands over to `cargo xtask`.
# The Windows counterpart of packaging/bootstrap.sh:
#   powershell -ExecutionPolicy Bypass -File packaging\bootstrap.ps1 run [ARGUMENT...]
#   powershell -ExecutionPolicy Bypass -File packaging\bootstrap.ps1 test [FILTER...]

$verb = $args[0]
$rest = @($args | Select-Object -Skip 1)
if ($verb -notin 'run', 'test') {
    [Console]::Error.WriteLine('Usage: bootstrap.ps1 run [ARGUMENT...] | test [FILTER...]')
    exit 2
}

$root = Split-Path -Parent $PSScriptRoot
$manifest = Get-Content -Raw (Join-Path $root 'Cargo.toml')
$rust = [regex]::Match($manifest, '(?m)^rust-version = "(.*)"').Groups[1].Value
$cargoHome = if ($env:CARGO_HOME) { $env:CARGO_HOME } else { Join-Path $HOME '.cargo' }

function Say($text) { [Console]::Error.WriteLine("bootstrap: $text") }
function Have($name) { [bool](Get-Command $name -ErrorAction SilentlyContinue) }

# Whether `cargo` is new enough. A question must not make rustup download its default toolchain.
function Fits {
    if (-not (Have 'cargo')) { return $false }
    $env:RUSTUP_AUTO_INSTALL = '0'
    $answer = cargo --version 2>$null
    $env:RUSTUP_AUTO_INSTALL = $autoInstall
    "$answer" -match '^cargo (\d+\.\d+\.\d+)' -and [version]$Matches[1] -ge [version]$rust
}

# An installed cargo that is new enough: the user's default, else any release that rustup has.
function FindRust {
    $env:Path = "$env:Path;$(Join-Path $cargoHome 'bin')"
    if (Fits) { return $true }
    if (Have 'rustup') {
        foreach ($line in rustup toolchain list) {
            if ($line -match '^no |nightly') { continue }
            $env:RUSTUP_TOOLCHAIN = ($line -split ' ')[0]
            if (Fits) { return $true }
        }
    }
    $env:RUSTUP_TOOLCHAIN = $toolchain
    $false
}

function InstallRust {
    Say "installing Rust $rust with rustup, since no installed cargo is that new"
    if (Have 'rustup') {
        rustup toolchain install $rust --no-self-update --profile minimal --component 'clippy,rustfmt'
    } else {
        $machine = if ($env:PROCESSOR_ARCHITECTURE -eq 'ARM64') { 'aarch64' } else { 'x86_64' }
        $setup = Join-Path $env:TEMP 'rustup-init.exe'
        Invoke-WebRequest -UseBasicParsing "https://win.rustup.rs/$machine" -OutFile $setup
        & $setup -y --no-modify-path --profile minimal --component 'clippy,rustfmt' --default-toolchain $rust
    }
    $env:RUSTUP_TOOLCHAIN = $rust
    if (-not (Fits)) {
        throw "Rust $rust could not be installed; see https://rustup.rs"
    }
}

function HasLinker {
    $vswhere = Join-Path ${env:ProgramFiles(x86)} 'Microsoft Visual Studio\Installer\vswhere.exe'
    if (-not (Test-Path $vswhere)) { return $false }
    $tools = if ($env:PROCESSOR_ARCHITECTURE -eq 'ARM64') { 'ARM64' } else { 'x86.x64' }
    [bool](& $vswhere -latest -products * -requires "Microsoft.VisualStudio.Component.VC.Tools.$tools" -property installationPath)
}

function InstallLinker {
    if (-not (Have 'winget')) {
        Say 'needed for the C compiler and the linker: https://visualstudio.microsoft.com/visual-cpp-build-tools'
        return
    }
    Say 'installing the Visual Studio Build Tools, for the C compiler and the linker'
    winget install --exact --id Microsoft.VisualStudio.2022.BuildTools `
        --accept-package-agreements --accept-source-agreements `
        --override '--quiet --wait --norestart --add Microsoft.VisualStudio.Workload.VCTools --includeRecommended'
}

# A script that is called from a prompt shares the prompt's environment: leave it as it was.
$path, $toolchain, $autoInstall = $env:Path, $env:RUSTUP_TOOLCHAIN, $env:RUSTUP_AUTO_INSTALL
$env:XTASK_START_FOLDER = (Get-Location -PSProvider FileSystem).ProviderPath
Push-Location $root
$code = 1
try {
    if (-not (HasLinker)) { InstallLinker | Out-Host }
    if (-not (FindRust)) { InstallRust | Out-Host }
    if ($verb -eq 'test') {
        cargo fmt --version 2>$null | Out-Null
        $formats = $LASTEXITCODE -eq 0
        cargo clippy --version 2>$null | Out-Null
        if (-not ($formats -and $LASTEXITCODE -eq 0)) {
            Say 'installing clippy and rustfmt with rustup, for formatting and linting'
            rustup component add clippy rustfmt | Out-Host
        }
    }
    cargo xtask $verb @rest
    $code = $LASTEXITCODE
} catch {
    Say $_
} finally {
    Pop-Location
    $env:Path, $env:RUSTUP_TOOLCHAIN, $env:RUSTUP_AUTO_INSTALL = $path, $toolchain, $autoInstall
    $env:XTASK_START_FOLDER = $null
}
exit $code
