# What the API's library is made with: the console's files and the API's description, built in.
file(GLOB CONSOLE_FILES CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/../console/*.html ${CMAKE_CURRENT_LIST_DIR}/../console/*.css
  ${CMAKE_CURRENT_LIST_DIR}/../console/*.js ${CMAKE_CURRENT_LIST_DIR}/../console/*.svg ${CMAKE_CURRENT_LIST_DIR}/../console/*.png
  ${CMAKE_CURRENT_LIST_DIR}/../console/*.ico)
set(API_GENERATED ${CMAKE_BINARY_DIR}/generated)
set(API_OPENAPI ${CMAKE_SOURCE_DIR}/docs/openapi.yaml)
add_custom_command(OUTPUT ${API_GENERATED}/api_files.h
  COMMAND ${CMAKE_COMMAND} -E make_directory ${API_GENERATED}
  COMMAND ${CMAKE_COMMAND} "-DFILES=${CONSOLE_FILES}" -DOPENAPI=${API_OPENAPI} -DOUT=${API_GENERATED}/api_files.h
    -P ${CMAKE_CURRENT_LIST_DIR}/embed.cmake
  DEPENDS ${CONSOLE_FILES} ${API_OPENAPI} ${CMAKE_CURRENT_LIST_DIR}/embed.cmake VERBATIM)
target_sources(weir_http_api PRIVATE ${API_GENERATED}/api_files.h)
target_include_directories(weir_http_api PRIVATE ${API_GENERATED})
pkg_check_modules(GNUTLS REQUIRED IMPORTED_TARGET gnutls)
target_link_libraries(weir_http_api PRIVATE PkgConfig::GNUTLS)
