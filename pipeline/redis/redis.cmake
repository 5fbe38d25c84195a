# What the Redis room's library is made with: the Redis Function library as a C string, and TLS where hiredis has it.
set(STORE_GENERATED ${CMAKE_BINARY_DIR}/generated)
add_custom_command(OUTPUT ${STORE_GENERATED}/weir_lua.h
  COMMAND ${CMAKE_COMMAND} -E make_directory ${STORE_GENERATED}
  COMMAND ${CMAKE_COMMAND} -DIN=${CMAKE_CURRENT_LIST_DIR}/functions/weir.lua -DOUT=${STORE_GENERATED}/weir_lua.h
    -P ${CMAKE_CURRENT_LIST_DIR}/functions/embed.cmake
  DEPENDS ${CMAKE_CURRENT_LIST_DIR}/functions/weir.lua ${CMAKE_CURRENT_LIST_DIR}/functions/embed.cmake VERBATIM)
target_sources(weir_redis PRIVATE ${STORE_GENERATED}/weir_lua.h)
target_include_directories(weir_redis PRIVATE ${STORE_GENERATED})
pkg_check_modules(HIREDIS_SSL IMPORTED_TARGET hiredis_ssl)
if(HIREDIS_SSL_FOUND)
  target_compile_definitions(weir_redis PRIVATE WEIR_HAVE_HIREDIS_SSL)
  target_link_libraries(weir_redis PRIVATE PkgConfig::HIREDIS_SSL)
endif()
